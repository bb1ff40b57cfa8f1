"""What an LLM may reply, and how it becomes a strategy; a reply is input, and never trusted."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ap_core.agents.profiling import Names
from ap_core.errors import UsageError
from ap_core.strategy import Normalisation, Ranking, Reduction, Strategy

LARGEST = 100_000
"""Characters of a reply that are looked at; more is a complaint."""

DEEPEST = 32
"""Brackets within brackets that a reply may have; the schema needs four."""

MOST = 32
"""Entries of a list in a reply."""

LONGEST = 2000
"""Characters of a rationale that are kept."""


class ReplyError(UsageError):
    """A reply that is of no use; the message is the complaint that the LLM gets."""


class Amount(BaseModel):
    """A number for what is named."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    where: str = Field(description="a name of the tables: a scope, a group, a kind, or a stage")
    value: float


class Proposal(BaseModel):
    """A strategy, in a form that services can hold an LLM to: closed, flat, without open tables.

    null leaves a setting as the base strategy has it. The schema demands every field; servers that
    know no schemas may leave some out.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    rationale: str = Field(
        default="", description="what in the evidence speaks for this; two sentences"
    )
    importance: str | None = Field(default=None, description="criterion that scores the channels")
    reduction: str | None = Field(
        default=None, description="how the scores of a group's layers become one"
    )
    ranking: str | None = Field(default=None, description="which groups compete")
    normalisation: str | None = Field(
        default=None, description="what a group's scores are divided by"
    )
    smoothing: float | None = Field(
        default=None,
        description="0 trusts the scores alone; 4 cuts every group alike; from 0 to 10",
    )
    pressure: list[Amount] = Field(
        default=[],
        max_length=MOST,
        description="above 1 cuts more there, below 1 less; from 0.1 to 10",
    )
    floors: list[Amount] = Field(
        default=[], max_length=MOST, description="share of the channels that stays at least; 0 to 1"
    )
    widths: list[Amount] = Field(
        default=[], max_length=MOST, description="share of the channels that stays, exactly; 0 to 1"
    )
    keep: list[str] = Field(
        default=[], max_length=MOST, description="names that are not cut at all"
    )
    drop: list[str] = Field(
        default=[], max_length=MOST, description="names of blocks that are dropped whole"
    )
    depth: bool | None = Field(
        default=None,
        description="true: the solver may drop more blocks, where that pays",
    )
    round_to: int | None = Field(default=None, description="multiple of all widths; 1 to 512")
    stop: bool = Field(default=False, description="true where nothing is left worth trying")


UNSPOKEN = ("default", "maxItems")
"""Keywords that not every service takes; what they say is checked here all the same."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "reduction": tuple(Reduction),
    "ranking": tuple(Ranking),
    "normalisation": tuple(Normalisation),
}


def schema_of(importances: Sequence[str]) -> dict[str, object]:
    """JSON schema of a proposal: closed objects, all fields required, names as enumerations."""
    schema = Proposal.model_json_schema()
    properties: dict[str, dict[str, object]] = schema["properties"]
    for name, choices in {"importance": tuple(importances), **CHOICES}.items():
        properties[name] = {
            "anyOf": [{"type": "string", "enum": list(choices)}, {"type": "null"}],
            "description": properties[name]["description"],
        }
    found: dict[str, object] = _plain(schema)
    return found


def parse(text: str) -> Proposal:
    """Proposal that a reply holds: the first JSON object in it. Raises: ReplyError."""
    if not text.strip():
        raise ReplyError("the reply is empty")
    if len(text) > LARGEST:
        raise ReplyError(f"the reply has {len(text)} characters; {LARGEST} are the most")
    start = text.find("{")
    if start < 0:
        raise ReplyError("the reply holds no JSON object")
    _check_depth(text[start:])
    try:
        document, _ = json.JSONDecoder(parse_constant=_no_number).raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise ReplyError(f"the reply is no JSON: {error.msg} at character {error.pos}") from error
    except ValueError as error:
        raise ReplyError(f"the reply is no JSON: {error}") from error
    try:
        return Proposal.model_validate(document)
    except ValidationError as error:
        raise ReplyError(_complaint(error)) from error


def strategy_of(proposal: Proposal, base: Strategy, names: Names) -> Strategy:
    """Strategy that a proposal stands for. Raises: ReplyError."""
    given = proposal.model_dump(include={"importance", "smoothing", "round_to", "depth", *CHOICES})
    fields: dict[str, object] = {name: v for name, v in given.items() if v is not None}
    for name in ("pressure", "floors", "widths"):
        amounts: list[Amount] = getattr(proposal, name)
        if amounts:
            fields[name] = {_glob(each.where, name, names.groups): each.value for each in amounts}
    if proposal.keep:
        every = {**names.blocks, **names.groups}
        fields["keep"] = tuple(_glob(name, "keep", every) for name in proposal.keep)
    if proposal.drop:
        fields["drop"] = tuple(_glob(name, "drop", names.blocks) for name in proposal.drop)
    fields["rationale"] = printable(proposal.rationale)
    try:
        return Strategy.model_validate(dict(base) | fields)
    except ValidationError as error:
        shown = {glob: name for name, glob in names.groups.items()}
        raise ReplyError(_complaint(error, shown)) from error


def printable(text: str) -> str:
    """Text on one line, without what would steer a terminal, and not too long."""
    shown = "".join(each if each.isprintable() else " " for each in text[: 2 * LONGEST])
    return re.sub(r" +", " ", shown).strip()[:LONGEST]


def _glob(name: str, field: str, globs: Mapping[str, str]) -> str:
    if name not in globs:
        known = ", ".join(list(globs)[:12]) or "none at all"
        raise ReplyError(
            f"{field} names {printable(name)[:80]!r}, which is in no table; names are, among "
            f"others, {known}"
        )
    return globs[name]


def _complaint(error: ValidationError, names: Mapping[str, str] | None = None) -> str:
    first = error.errors(include_url=False)[0]
    parts = [(names or {}).get(str(part), str(part)) for part in first["loc"]]
    place = ".".join(parts) or "the whole"
    return f"{printable(place)[:80]} is wrong: {first['msg']}"


def _check_depth(text: str) -> None:
    depth = 0
    for each in text:
        depth += (each in "{[") - (each in "}]")
        if depth > DEEPEST:
            raise ReplyError(f"the reply has brackets more than {DEEPEST} deep")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Schema without references, titles and defaults: what every service understands."""
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(definitions[node["$ref"].rpartition("/")[2]])
        return {
            key: resolved(value)
            for key, value in node.items()
            if key not in UNSPOKEN and not (key == "title" and isinstance(value, str))
        }

    found: dict[str, Any] = resolved(schema)
    found["required"] = list(found["properties"])
    found.pop("description", None)
    return found

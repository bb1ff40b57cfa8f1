"""LLMs by script: one that follows the evidence by simple rules, and many that are of no use."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ap_core.contracts import LlmReply, LlmSettings
from ap_core.errors import LlmError
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import LlmBackendOffer

Row = dict[str, str]


class RuleFollower:
    """Reads the tables and the trials of the prompt, as an analysis agent would, and follows rules.

    Other importances first; then whether blocks may go; then pressure on the scope that costs most
    for what half of it is worth, and relief for the one that is missed most; then normalisations
    and smoothing; each on top of the best trial. Told to widen, it leaves the kind of change that
    it tried last. Where nothing keeps to the budget, all widths by the root of what was missed.
    """

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Next untried step."""
        if "reading" in json.dumps(schema):
            return _said({"reading": "Rules need no reading."})
        if "spell" in system:
            return _said({"widths": _nearer(prompt), "rationale": "as much as was missed"})
        best, tried = _trials(prompt)
        base = _base(prompt)
        left = _last_kind(prompt) if "## Your task: widen" in prompt else set()
        for step in _steps(system, _table(prompt)):
            if left & set(step):
                continue
            strategy = {n: value for n, value in {**best, **step}.items() if value != base.get(n)}
            if _key(strategy) not in tried:
                return _said({**_spelt(strategy), "rationale": "the next rule"})
        return _said({"stop": True})


def _nearer(prompt: str) -> list[dict[str, object]]:
    """Widths of the last trial, scaled by the root of the budget over its cost."""
    widths: dict[str, float] = _base(prompt)["widths"]
    costs = re.findall(r"^  ([\d.]+) ([kMG]) MACs", prompt, re.MULTILINE)
    for _, text in re.findall(r"^trial \d+( \(best\))?: (.*)$", prompt, re.MULTILINE):
        widths = json.loads(text).get("widths", widths) if text.startswith("{") else widths
    limit = _amount(*re.search(r"at most ([\d.]+) ([kMG]) MACs", prompt).groups())  # type: ignore[union-attr]
    factor = (limit / _amount(*costs[-1])) ** 0.5 if costs else 1.0
    return [
        {"where": name, "value": min(1.0, max(0.05, factor * share))}
        for name, share in widths.items()
    ]


def _base(prompt: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(prompt.split("## Base strategy\n")[1].split("\n")[0])
    return found


def _amount(number: str, unit: str) -> float:
    return float(number) * {"k": 1e3, "M": 1e6, "G": 1e9}[unit]


def _steps(system: str, scopes: list[Row]) -> Iterator[dict[str, object]]:
    """Changes to try, in order."""
    importances = re.search(r"scored: ([a-z0-9_, ]+)\.", system)
    for name in importances[1].split(", ") if importances else ():
        yield {"importance": name}
    if "depth: true" in system:
        yield {"depth": True}
    measured = [row for row in scopes if row["half"] != "-"]
    measured.sort(key=lambda row: float(row["half"]) / max(1e-3, _cost(row)))
    for strength in (1.4, 2.0):
        for cheap, dear in ((measured[:1], []), (measured[:1], measured[-1:]), ([], measured[-1:])):
            pressure = {row["name"]: strength for row in cheap}
            pressure |= {row["name"]: 1 / strength for row in dear}
            if pressure:
                yield {"pressure": pressure}
    for normalisation in ("gaussian", "mean", "none"):
        yield {"normalisation": normalisation}
    for smoothing in (1.0, 0.0, 2.0):
        yield {"smoothing": smoothing}


def _table(prompt: str, title: str = "Scopes") -> list[Row]:
    """Rows of a table: of scopes, or of blocks; none where it is not there."""
    if f"\n{title}" not in prompt:
        return []
    lines = prompt.split(f"\n{title}", 1)[1].split("name | ", 1)[1].split("\n")
    names = [name.strip() for name in f"name | {lines[0]}".split("|")]
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == len(names):
            rows.append(dict(zip(names, cells, strict=True)))
        elif rows:
            break
    return rows


def _cost(row: Row) -> float:
    return float(next(value for name, value in row.items() if name.endswith("%")))


def _trials(prompt: str) -> tuple[dict[str, object], set[str]]:
    """Strategy of the best trial, and all that were tried."""
    best: dict[str, object] = {}
    tried = set()
    for mark, text in re.findall(r"^trial \d+( \(best\))?: (.*)$", prompt, re.MULTILINE):
        strategy = json.loads(text) if text.startswith("{") else {}
        tried.add(_key(strategy))
        if mark:
            best = strategy
    return best, tried


def _last_kind(prompt: str) -> set[str]:
    """What the last trial set besides the importance."""
    texts = re.findall(r"^trial \d+(?: \(best\))?: (.*)$", prompt, re.MULTILINE)
    return set(json.loads(texts[-1])) - {"importance"} if texts[-1].startswith("{") else set()


def _key(strategy: Mapping[str, object]) -> str:
    return json.dumps(strategy, sort_keys=True)


def _spelt(strategy: Mapping[str, object]) -> dict[str, object]:
    """Strategy as a reply spells it: tables as lists."""
    return {
        field: [{"where": where, "value": amount} for where, amount in value.items()]
        if isinstance(value, dict)
        else value
        for field, value in strategy.items()
    }


def _said(document: Mapping[str, object]) -> LlmReply:
    return LlmReply(text=json.dumps(document), model="script", input_tokens=0, output_tokens=0)


class Monotone:
    """Says the same, whatever it is asked; an error is raised."""

    def __init__(self, said: str | LlmReply | LlmError) -> None:
        self._said = said

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """The one thing that it says."""
        del system, prompt, schema
        if isinstance(self._said, LlmError):
            raise self._said
        if isinstance(self._said, LlmReply):
            return self._said
        return LlmReply(text=self._said, model="script")


class Fickle:
    """Proposes at random whatever the schema allows, extremes above all."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Some strategy or other."""
        del system, schema
        names = [row["name"] for row in _table(prompt)]
        blocks = [row["name"] for row in _table(prompt, "Blocks")]
        draw = self._random
        amounts = {
            "pressure": (0.1, 10.0),
            "floors": (0.01, 1.0),
            "widths": (0.05, 1.0),
        }
        tables = {
            table: [
                {"where": name, "value": draw.choice((low, high, draw.uniform(low, high)))}
                for name in draw.sample(names, draw.randint(0, len(names)))
            ]
            for table, (low, high) in amounts.items()
        }
        return _said(
            {
                **tables,
                "smoothing": draw.uniform(0, 10),
                "round_to": draw.choice((None, 1, 7, 64, 512)),
                "ranking": draw.choice((None, "global", "isomorphic", "uniform")),
                "keep": draw.sample(names, draw.randint(0, 1)),
                "drop": draw.sample(blocks, draw.randint(0, len(blocks))),
                "depth": draw.choice((None, True, False)),
            }
        )


OF_NO_USE: Mapping[str, str | LlmReply | LlmError] = {
    "empty": "",
    "words": "I would rather not.",
    "nan": '{"smoothing": NaN}',
    "minus": '{"widths": [{"where": "S1", "value": -1}]}',
    "five": '{"widths": [{"where": "S1", "value": 5}]}',
    "path": '{"keep": ["../../../etc/passwd"]}',
    "huge": "{" + " " * 10**6,
    "deep": '{"a":' * 10_000,
    "refusal": LlmReply(text="", model="script", stop="refusal"),
    "cut": LlmReply(text='{"smoo', model="script", stop="length"),
    "greedy": '{"floors": [{"where": "S1", "value": 1.0}], "round_to": 512}',
    "dead": LlmError("the service is down"),
}


@hookimpl
def ap_llm_backends() -> list[LlmBackendOffer]:
    """Offer the scripted LLMs."""

    def offer(name: str, make: Callable[[LlmSettings], object]) -> LlmBackendOffer:
        return LlmBackendOffer(name=name, summary="by script", load=lambda: make)  # type: ignore[arg-type]

    useless = [
        offer(f"script-{name}", lambda _settings, said=said: Monotone(said))  # type: ignore[misc]
        for name, said in OF_NO_USE.items()
    ]
    return [
        offer("script-rules", lambda _settings: RuleFollower()),
        offer("script-fickle", lambda settings: Fickle(settings.seed or 0)),
        *useless,
    ]

"""What is compared: a configuration that is shipped, or a TOML file, as a checked value."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from ap_core.errors import UsageError, unknown_name
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.records import Record
from ap_core.strategy import Strategy

OF_CELLS = {
    "model": "list networks as [[model]]",
    "checkpoint": "it is a setting of [[model]]",
    "seed": "list seeds as seeds = [0, 1, 2]",
    "target_macs": 'list targets as targets = ["50%"]',
    "target_params": "the targets of a comparison are MACs",
}
"""Options that differ from cell to cell, and where they are set."""

STRATEGY = "strategy"
OPTIONS = (PruneOptions.model_fields.keys() | Strategy.model_fields.keys()) - OF_CELLS.keys()
"""What [prune] and a contender may set: options of pruning, and fields of the strategy."""

Seed = Annotated[int, Field(ge=0)]
Options = dict[str, Any]


class ModelEntry(Record):
    """A network to compare on.

    checkpoint: "" for none; "{seed}" in it stands for the cell's seed.
    targets: instead of the configuration's own; none for these.
    """

    name: str
    checkpoint: str = ""
    num_classes: int | None = Field(default=None, ge=1)
    input_size: tuple[int, int, int] | None = None
    targets: tuple[str, ...] = ()


class Contender(Record):
    """Who is compared. options: go over those that all share."""

    name: str
    options: Options


class Configuration(Record):
    """Contenders, on models x targets x seeds.

    title, source: for people. prune: options that all cells share.
    needs_data: whether a comparison without images is refused.
    """

    title: str = ""
    source: str = ""
    needs_data: bool = False
    prune: Options
    models: tuple[ModelEntry, ...]
    targets: tuple[str, ...]
    seeds: tuple[Seed, ...]
    contenders: tuple[Contender, ...]

    def document(self) -> dict[str, object]:
        """What decides the results, as JSON; what has a name is found by it."""
        return {
            "needs_data": self.needs_data,
            "prune": self.prune,
            "model": {each.name: each.model_dump(mode="json") for each in self.models},
            "targets": list(self.targets),
            "seeds": list(self.seeds),
            "contender": {each.name: each.options for each in self.contenders},
        }


def parse(document: Mapping[str, Any]) -> Configuration:
    """Configuration that a TOML document spells out.

    Raises: UsageError, which names the key; UnknownNameError for a key that there is not.
    """
    fields = dict(document)
    models, contenders = fields.pop("model", ()), fields.pop("contender", ())
    known = Configuration.model_fields.keys() - {"models", "contenders"}
    _check_keys(fields, known | {"model", "contender"}, "the configuration")
    found = Configuration.parse(
        {
            "prune": _options(_table(fields.pop("prune", {}), "[prune]"), "[prune]"),
            "models": [_model(each) for each in _named(models, "model")],
            "targets": fields.pop("targets", ()),
            "seeds": fields.pop("seeds", ()),
            "contenders": [_contender(each) for each in _named(contenders, "contender")],
            **fields,
        }
    )
    _check_whole(found)
    return found


def _model(table: Mapping[str, Any]) -> ModelEntry:
    place = f"model {table['name']!r}"
    _check_keys(table, ModelEntry.model_fields, place)
    return _parsed(ModelEntry, table, place)


def _contender(table: Mapping[str, Any]) -> Contender:
    place = f"contender {table['name']!r}"
    options = _options({key: value for key, value in table.items() if key != "name"}, place)
    return Contender(name=table["name"], options=options)


def _parsed(kind: type[ModelEntry], table: Mapping[str, Any], place: str) -> ModelEntry:
    try:
        return kind.parse(table)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", hint=error.hint) from error


def _options(table: Mapping[str, Any], place: str) -> Options:
    """Options of a table; a table [strategy] in it is another way to write its fields."""
    own = {key: value for key, value in table.items() if key != STRATEGY}
    options = {**_table(table.get(STRATEGY, {}), f"{STRATEGY} of {place}"), **own}
    for key in options:
        if key in OF_CELLS:
            raise UsageError(f"{key} cannot be set in {place}", hint=OF_CELLS[key])
    _check_keys(options, OPTIONS, place)
    return options


def _named(tables: object, kind: str) -> Sequence[Mapping[str, Any]]:
    """Tables of one kind, each with a name. Raises: UsageError."""
    if not isinstance(tables, list | tuple) or not all(isinstance(each, dict) for each in tables):
        raise UsageError(f"{kind} is no list of tables", hint=f"write each as [[{kind}]]")
    for number, table in enumerate(tables, start=1):
        if not isinstance(table.get("name"), str) or not table["name"]:
            raise UsageError(f"{kind} {number} has no name", hint='add name = "..."')
    return tables


def _table(found: object, place: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UsageError(f"{place} is no table")
    return found


def _check_keys(table: Mapping[str, Any], known: Collection[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise unknown_name(f"key in {place}:", key, known)


def _check_whole(found: Configuration) -> None:
    """Refuse what compares nothing. Raises: UsageError."""
    if not found.contenders:
        raise UsageError(
            "the configuration has no contender", hint="add a [[contender]] with a strategist"
        )
    if not found.models:
        raise UsageError("the configuration has no model", hint="add a [[model]] with a name")
    if not found.seeds:
        raise UsageError("the configuration has no seed", hint="add seeds = [0, 1, 2]")
    for model in found.models:
        if not (model.targets or found.targets):
            raise UsageError(
                f"model {model.name!r} has no target", hint='add targets = ["50%"] to the file'
            )

"""Reading a recipe: one that is shipped, or a TOML file."""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ap_core.errors import UsageError, unknown_name
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.records import Record
from ap_train.finetuning.options import FinetuneOptions
from ap_train.training.presets import DEFAULT, options_of

OF_FINETUNING = tuple(name for name in FinetuneOptions.model_fields if name != "training")


class Recipe(Record):
    """From a network to a small one.

    title, source: for people. prune: fields of `PruneOptions`, the strategy's among them.
    finetune: a preset, settings that override it, and fields of `FinetuneOptions`; None to leave
    it out. evaluate, benchmark: whether to measure accuracy, and latency.
    """

    title: str = ""
    source: str = ""
    prune: dict[str, Any]
    finetune: dict[str, Any] | None = None
    evaluate: bool = True
    benchmark: bool = True

    def prune_options(self) -> PruneOptions:
        """What to prune, to which budget. Raises: UsageError."""
        mine = {n: v for n, v in self.prune.items() if n in PruneOptions.model_fields}
        strategy = {n: v for n, v in self.prune.items() if n not in mine}
        return PruneOptions.parse({"strategy": strategy, **mine})

    def finetune_options(self) -> FinetuneOptions | None:
        """How to train; None where nothing is to be trained. Raises: UsageError."""
        if self.finetune is None:
            return None
        given = dict(self.finetune)
        preset = str(given.pop("preset", DEFAULT))
        mine = {name: given.pop(name) for name in OF_FINETUNING if name in given}
        return FinetuneOptions.parse(mine | {"training": options_of(preset, given)})


def shipped() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    here = files("ap_train.recipes")
    return tuple(sorted(f.name[:-5] for f in here.iterdir() if f.name.endswith(".toml")))


def read_recipe(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """Recipe of this name, or of this file, with settings like "finetune.epochs=2" put over it.

    Raises: UnknownNameError, UsageError.
    """
    path = Path(name)
    if path.suffix == ".toml":
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the recipe {name} cannot be read: {error}") from error
    elif name in shipped():
        text = (files("ap_train.recipes") / f"{name}.toml").read_text("utf-8")
    else:
        raise unknown_name("recipe", name, shipped())
    document = _parsed(text, name)
    for override in overrides:
        _put(document, override)
    return Recipe.parse(document)


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {name} is no TOML: {error}") from error


def _put(document: dict[str, Any], override: str) -> None:
    """Put "table.key=value" into the document; values as in TOML, else text."""
    place, equals, text = override.partition("=")
    *tables, key = place.strip().split(".")
    if not equals or not key:
        raise UsageError(
            f"--set {override!r} is not of the form TABLE.KEY=VALUE",
            hint="write it like --set finetune.epochs=2",
        )
    inner: Any = document
    for table in tables:
        inner = inner.setdefault(table, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {override!r}: {table} is no table")
    inner[key] = _value(text)


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def merged(recipe: Recipe, table: str, values: Mapping[str, object]) -> Recipe:
    """Recipe with some values of one table replaced."""
    before = getattr(recipe, table) or {}
    return recipe.model_copy(update={table: {**before, **values}})

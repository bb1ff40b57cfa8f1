"""Reading a recipe: one that is shipped, or a TOML file."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from ap_core.errors import unknown_name
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.records import Record, wrong_option
from ap_core.shelf import Shelf
from ap_core.strategy import Strategy
from ap_train.finetuning.options import FinetuneOptions
from ap_train.recipes.wording import as_settings
from ap_train.training.options import TrainOptions
from ap_train.training.presets import DEFAULT

RECIPES = Shelf(kind="recipe", package="ap_train.recipes", example="finetune.epochs=2")

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
        own = PruneOptions.model_fields.keys() - {"strategy"}
        _check_keys("[prune]", self.prune, {*own, *Strategy.model_fields})
        mine = {n: v for n, v in self.prune.items() if n in own}
        given = {n: v for n, v in self.prune.items() if n not in own}
        try:
            strategy = Strategy.model_validate(given)
        except ValidationError as error:
            raise wrong_option(error, inside="prune") from error
        return PruneOptions.parse({"strategy": strategy, **mine}, inside="prune")

    def finetune_options(self) -> FinetuneOptions | None:
        """How to train; None where nothing is to be trained. Raises: UsageError."""
        if self.finetune is None:
            return None
        _check_keys("[finetune]", self.finetune, {*TrainOptions.model_fields, *OF_FINETUNING})
        given = dict(self.finetune)
        preset = str(given.pop("preset", DEFAULT))
        mine = {name: given.pop(name) for name in OF_FINETUNING if name in given}
        with as_settings("finetune"):
            return FinetuneOptions.of(preset, given, **mine)


def read_recipe(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """Recipe of this name, or of this file, with settings like "finetune.epochs=2" put over it.

    Raises: UnknownNameError, UsageError.
    """
    document = RECIPES.read(name, overrides)
    _check_keys("a recipe", document, Recipe.model_fields)
    return Recipe.parse(document)


def merged(recipe: Recipe, table: str, values: Mapping[str, object]) -> Recipe:
    """Recipe with some values of one table replaced."""
    before = getattr(recipe, table) or {}
    return recipe.model_copy(update={table: {**before, **values}})


def _check_keys(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a key that means nothing there. Raises: UnknownNameError with the nearest ones."""
    known = set(known)
    for name in given:
        if name not in known:
            raise unknown_name(f"key of {where}:", name, known)

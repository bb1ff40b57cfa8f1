"""Reading a recipe: one that is shipped, or a TOML file."""

from collections.abc import Iterable, Mapping
from typing import Any

from ap_core.pipeline.options import PruneOptions
from ap_core.runs.records import Record
from ap_core.shelf import Shelf
from ap_train.finetuning.options import FinetuneOptions
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
        return FinetuneOptions.of(preset, given, **mine)


def read_recipe(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """Recipe of this name, or of this file, with settings like "finetune.epochs=2" put over it.

    Raises: UnknownNameError, UsageError.
    """
    return Recipe.parse(RECIPES.read(name, overrides))


def merged(recipe: Recipe, table: str, values: Mapping[str, object]) -> Recipe:
    """Recipe with some values of one table replaced."""
    before = getattr(recipe, table) or {}
    return recipe.model_copy(update={table: {**before, **values}})

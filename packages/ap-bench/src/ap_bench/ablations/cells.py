"""The cells of a comparison: one model, target, seed and contender each, and what prunes it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ap_bench.ablations.configuration import Configuration, Contender, ModelEntry
from ap_core.budget import parse_targets
from ap_core.errors import ApError, UsageError
from ap_core.network import Metric
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.directory import plain

T = TypeVar("T")
SEED = "{seed}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is run once. place: of its run directory, below the comparison's."""

    model: str
    target: str
    seed: int
    contender: str
    options: PruneOptions
    place: Path

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from all others."""
        return self.model, self.target, self.seed, self.contender

    def __str__(self) -> str:
        return f"{self.model} at {self.target}, {self.contender}, seed {self.seed}"


def cells_of(configuration: Configuration) -> tuple[Cell, ...]:
    """Every cell, contender after contender on the same model, target and seed.

    Raises: UsageError for options of no sense, and for what is named twice.
    """
    _check_once("model", configuration.models, lambda each: plain(each.name))
    _check_once("contender", configuration.contenders, lambda each: plain(each.name))
    _check_once("seed", configuration.seeds, lambda each: each)
    return tuple(
        _cell(configuration, model, target, seed, contender)
        for model in configuration.models
        for target in _targets(configuration, model)
        for seed in configuration.seeds
        for contender in configuration.contenders
    )


@contextmanager
def about(name: str) -> Iterator[None]:
    """Have an expected failure say what it is about."""
    try:
        yield
    except ApError as error:
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from error


def _targets(configuration: Configuration, model: ModelEntry) -> tuple[str, ...]:
    targets = model.targets or configuration.targets
    for target in targets:
        if "," in target:
            raise UsageError(f"the target {target!r} is several", hint="write each by itself")
    _check_once("target", targets, lambda each: parse_targets(each, Metric.MACS))
    return targets


def _cell(
    configuration: Configuration, model: ModelEntry, target: str, seed: int, contender: Contender
) -> Cell:
    own: dict[str, object] = {
        "model": model.name,
        "num_classes": model.num_classes,
        "input_size": model.input_size,
        "checkpoint": model.checkpoint.replace(SEED, str(seed)) or None,
        "target_macs": target,
        "seed": seed,
    }
    of_model = {key: value for key, value in own.items() if value is not None}
    options = {**configuration.prune, **of_model, **contender.options}
    with about(f"contender {contender.name!r}"):
        return Cell(
            model=model.name,
            target=target,
            seed=seed,
            contender=contender.name,
            options=_parsed(options),
            place=Path(
                plain(model.name),
                plain(target.replace("%", "-percent")),
                plain(contender.name),
                f"seed-{seed}",
            ),
        )


def _parsed(options: dict[str, object]) -> PruneOptions:
    mine = {name: v for name, v in options.items() if name in PruneOptions.model_fields}
    strategy = {name: v for name, v in options.items() if name not in mine}
    if "trials" not in mine:
        raise UsageError(
            "nothing says how many trials it may make",
            hint="add trials = 12 to [prune], which gives all as many",
        )
    return PruneOptions.parse({"strategy": strategy, **mine})


def _check_once(kind: str, given: Iterable[T], key: Callable[[T], object]) -> None:
    seen: list[object] = []
    for each in given:
        if key(each) in seen:
            name = getattr(each, "name", each)
            raise UsageError(
                f"the {kind} {name!r} is there twice", hint="leave one out, or rename it"
            )
        seen.append(key(each))

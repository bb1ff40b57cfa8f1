"""The engine: runs an importance over every group of a network."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy

from ap_core.contracts import Importance, LayerSlice
from ap_core.errors import DataError, ModelError, PluginError
from ap_core.network import Group, GroupKind
from ap_core.plugins.offers import ImportanceOffer
from ap_core.scores import FloatArray, Scores
from ap_core.strategy import Reduction
from ap_models.parts import Part
from ap_models.tracing.slices import parts
from ap_models.tracing.trace import DependencyTracing

if TYPE_CHECKING:
    from ap_core.contracts import ImageBatch


class PartsOf(Protocol):
    """Finds the layers that hold the channels of a group, in the same order every time."""

    def __call__(self, module: Module, group: str, /, *, gradients: bool = False) -> Iterable[Part]:
        """Parts of the group; with gradients where they are wanted and there are any."""


def score(
    module: Module,
    tracing: DependencyTracing,
    offer: ImportanceOffer,
    *,
    reduction: Reduction,
    batches: Sequence["ImageBatch"],
    seed: int,
) -> Scores:
    """Score of every channel of a traced network; see `score_groups`."""

    def parts_of(whole: Module, group: str, *, gradients: bool = False) -> Iterable[Part]:
        return parts(tracing, whole, group, gradients=gradients)

    return score_groups(
        module,
        parts_of,
        offer,
        reduction=reduction,
        batches=batches,
        seed=seed,
        groups=tracing.network.groups,
    )


def score_groups(
    module: Module,
    parts_of: PartsOf,
    offer: ImportanceOffer,
    *,
    reduction: Reduction,
    batches: Sequence["ImageBatch"],
    seed: int,
    groups: Sequence[Group],
) -> Scores:
    """Score of every channel of every group that is neither locked nor made of heads.

    A channel that the importance finds no layer for gets the mean of its group; a group with no
    such layer, the mean over all scored channels.
    The module is left as it was: gradients, flags, modes and statistics.
    Raises: DataError where data is needed and missing or unfit, ModelError where the importance
    finds nothing to score, PluginError where what it returns is no score.
    """
    wanted = [g for g in groups if not g.locked and g.kind is not GroupKind.HEADS]
    tally = _Tally(offer.make(), offer.name, torch.Generator().manual_seed(seed))
    if not offer.needs_data:
        tally.add(module, parts_of, wanted, gradients=False)
    else:
        _require_data(offer.name, batches)
        with _differentiable(module):
            for images, labels in batches:
                _backward(module, images, labels)
                tally.add(module, parts_of, wanted, gradients=True)
    values = {group.name: tally.reduced(group, reduction) for group in wanted}
    return Scores(
        importance=offer.name,
        reduction=reduction.value,
        values=_filled(offer.name, values),
        additive=offer.additive,
    )


class _Tally:
    """Sums over batches of what an importance says of every part of every group."""

    def __init__(self, importance: Importance, name: str, generator: Generator) -> None:
        self._importance = importance
        self._name = name
        self._generator = generator
        self._sums: dict[str, dict[int, tuple[Tensor, FloatArray]]] = {}

    def add(
        self, module: Module, parts_of: PartsOf, groups: Iterable[Group], *, gradients: bool
    ) -> None:
        """Ask about every part, and add the answers to those of earlier batches."""
        for group in groups:
            sums = self._sums.setdefault(group.name, {})
            for position, part in enumerate(parts_of(module, group.name, gradients=gradients)):
                fresh = self._ask(part.slice)
                if fresh is not None:
                    _, before = sums.get(position, (part.index, np.zeros(len(fresh))))
                    sums[position] = (part.index, before + fresh)

    def reduced(self, group: Group, reduction: Reduction) -> FloatArray:
        """One score for each channel, (lanes, width); NaN where no part is about a channel."""
        size = group.lanes * group.width
        found = [_per_channel(i, v, size) for i, v in self._sums.get(group.name, {}).values()]
        if not found:
            return np.full((group.lanes, group.width), np.nan)
        return _REDUCE[reduction](np.stack(found)).reshape(group.lanes, group.width)

    def _ask(self, part: LayerSlice) -> FloatArray | None:
        with torch.no_grad():
            answer = self._importance(part, self._generator)
        if answer is None:
            return None
        about = f"the importance {self._name!r}, asked about {part.layer}, "
        if not isinstance(answer, Tensor) or answer.shape != (len(part.weight),):
            shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
            raise PluginError(f"{about}returned {shape} instead of {(len(part.weight),)}")
        scores: FloatArray = answer.detach().to("cpu", torch.float64).numpy()
        if not np.isfinite(scores).all() or (scores < 0).any():
            raise PluginError(
                f"{about}returned scores that are negative or not finite",
                hint="scores must be numbers from 0 upwards; the higher, the more important",
            )
        return scores


def _per_channel(index: Tensor, scores: FloatArray, size: int) -> FloatArray:
    """Scores of one part at the places of their channels, rows of one channel added; else NaN."""
    places = index.cpu().numpy()
    sums = np.bincount(places, weights=scores, minlength=size)
    covered = np.bincount(places, minlength=size) > 0
    return np.where(covered, sums, np.nan)


def _geometric(parts: FloatArray) -> FloatArray:
    """Product over parts, rooted by their number, so that it stays within the range of floats."""
    with np.errstate(divide="ignore"):
        logs = np.log(parts)
    return _over_parts(np.nanmean, logs, then=np.exp)


def _over_parts(
    reduce: Callable[..., FloatArray],
    parts: FloatArray,
    *,
    then: Callable[[FloatArray], FloatArray] = np.positive,
) -> FloatArray:
    uncovered = np.isnan(parts).all(axis=0)
    found = then(reduce(np.where(uncovered, 0.0, parts), axis=0))
    return np.where(uncovered, np.nan, found)


_REDUCE: dict[Reduction, Callable[[FloatArray], FloatArray]] = {
    Reduction.MEAN: lambda parts: _over_parts(np.nanmean, parts),
    Reduction.SUM: lambda parts: _over_parts(np.nansum, parts),
    Reduction.MAX: lambda parts: _over_parts(np.nanmax, parts),
    Reduction.PRODUCT: _geometric,
}


def _filled(importance: str, values: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Values with means where the importance is silent."""
    known = [v[~np.isnan(v)] for v in values.values()]
    everything = np.concatenate(known) if known else np.zeros(0)
    if values and not len(everything):
        raise ModelError(
            f"the importance {importance!r} finds nothing to score in this network",
            hint="bn_scale wants batch norms; l2 works for every network",
        )
    filled = {}
    for name, scores in values.items():
        silent = np.isnan(scores)
        mean = everything.mean() if silent.all() else scores[~silent].mean()
        filled[name] = np.where(silent, mean, scores)
    return filled


def _require_data(importance: str, batches: Sequence["ImageBatch"]) -> None:
    if not batches:
        raise DataError(
            f"the importance {importance!r} needs data",
            hint="give calibration images with --data, or take l2, which needs none",
        )


@contextmanager
def _differentiable(module: Module) -> Iterator[None]:
    """All parameters want gradients and the network is in eval mode; afterwards as it was."""
    modes = [(m, m.training) for m in module.modules()]
    flags = [(p, p.requires_grad, p.grad) for p in module.parameters()]
    module.eval()
    for parameter, _, _ in flags:
        parameter.requires_grad_(parameter.is_floating_point())
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, wants, gradient in flags:
            parameter.requires_grad_(wants)
            parameter.grad = gradient
        for part, training in modes:
            part.training = training


def _backward(module: Module, images: Tensor, labels: Tensor) -> None:
    """Gradients of the loss on one batch, in place of the last one's."""
    module.zero_grad(set_to_none=True)
    some = next(module.parameters())
    with torch.enable_grad():
        output = module(images.to(some.device, some.dtype))
        _check_labels(labels, output.shape[-1])
        loss = cross_entropy(output.float(), labels.to(some.device))
    if not bool(loss.isfinite()):
        if not bool(images.isfinite().all()):
            raise DataError("a calibration image holds a NaN or an infinity")
        raise ModelError(
            f"the loss on the calibration images is {loss.item()}",
            hint="are these weights trained, and is the preprocessing the model's own?",
        )
    loss.backward()  # type: ignore[no-untyped-call]


def _check_labels(labels: Tensor, classes: int) -> None:
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise DataError(
            f"labels reach from {int(labels.min())} to {int(labels.max())}, "
            f"but the network knows {classes} classes",
            hint="say --num-classes, or take the data that the model was trained on",
        )

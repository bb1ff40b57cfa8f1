"""Conformance of importances."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ap_core.contracts import Importance, LayerSlice
from ap_core.plugins.offers import ImportanceOffer
from ap_core.testing.requirement import digest, import_torch, require

if TYPE_CHECKING:
    from torch import Tensor

SHAPES = (
    ("conv", "out", (8, 36), True),
    ("conv", "in", (4, 72), False),
    ("linear", "out", (16, 8), True),
    ("linear", "in", (8, 16), False),
    ("linear", "out", (1, 8), True),
    ("bn", "norm", (8, 1), True),
    ("ln", "norm", (8, 1), True),
)


def check_importance(offer: ImportanceOffer, *, seed: int = 0) -> None:
    """Demand of an importance: finite scores >= 0, one a channel, the same for the same generator.

    It has to score at least one kind of layer, to survive weights that are all zero, to change
    nothing that it is given, and to need gradients only where its offer says so.
    """
    importance = offer.make()
    scored = 0
    for part in _parts(seed, with_gradient=offer.needs_data):
        where = f"{offer.name} of a {part.kind} layer ({part.role})"
        before = [digest(tensor) for tensor in _tensors(part)]
        scores, again = (_score(importance, part, seed) for _ in range(2))
        require([digest(t) for t in _tensors(part)] == before, f"{where} changed what it was given")
        if scores is None or again is None:
            require(scores is again, f"{where} is left out only sometimes")
            continue
        scored += 1
        _require_scores(scores, part, where)
        require(digest(scores) == digest(again), f"{where} differs from call to call")
    require(scored, f"{offer.name} scores no layer at all")


def _parts(seed: int, *, with_gradient: bool) -> Iterator[LayerSlice]:
    torch = import_torch()
    generator = torch.Generator().manual_seed(seed)
    for fill in (None, 0.0):
        for kind, role, shape, has_bias in SHAPES:
            weight, gradient = (torch.randn(shape, generator=generator) for _ in range(2))
            bias, bias_gradient = (torch.randn(shape[0], generator=generator) for _ in range(2))
            if fill is not None:
                for tensor in (weight, bias):
                    tensor.fill_(fill)
            yield LayerSlice(
                layer="checked",
                kind=kind,
                role=role,
                weight=weight,
                bias=bias if has_bias else None,
                gradient=gradient if with_gradient else None,
                bias_gradient=bias_gradient if with_gradient and has_bias else None,
            )


def _tensors(part: LayerSlice) -> list["Tensor"]:
    found = (part.weight, part.bias, part.gradient, part.bias_gradient)
    return [tensor for tensor in found if tensor is not None]


def _score(importance: Importance, part: LayerSlice, seed: int) -> "Tensor | None":
    return importance(part, import_torch().Generator().manual_seed(seed))


def _require_scores(scores: "Tensor", part: LayerSlice, where: str) -> None:
    channels = part.weight.shape[0]
    require(
        tuple(scores.shape) == (channels,),
        f"{where} has the shape {tuple(scores.shape)} instead of ({channels},)",
    )
    require(scores.dtype.is_floating_point, f"{where} is of type {scores.dtype}")
    require(bool(scores.isfinite().all()), f"{where} is not finite")
    require(bool((scores >= 0).all()), f"{where} is negative")
    require(not scores.requires_grad, f"{where} keeps the graph of its computation")

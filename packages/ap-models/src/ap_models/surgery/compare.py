"""Comparing two networks, part by part: stricter than comparing their outputs on some images."""

from collections.abc import Iterator
from itertools import zip_longest

import torch
from torch import Tensor, nn

from ap_models.surgery.tensors import precise

SETTINGS = (bool, int, float, str, tuple, list, type(None))
"""Kinds of attributes that say how a module computes."""

IGNORED = frozenset({"training"})


def difference(
    one: nn.Module, other: nn.Module, *, input_size: tuple[int, int, int], seed: int
) -> float:
    """Largest absolute difference of the outputs on a random image, relative to the largest
    absolute output of the first.

    The image is of half the height and width where both networks take it, since what they do to
    channels does not depend on its size. Types below float32 are computed in float32: their own
    rounding is larger than what is looked for.
    """
    channels, height, width = input_size
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(1, channels, height, width, generator=generator)
    one, other = precise(one), precise(other)
    images = images.to(next(one.parameters(), images))
    with torch.inference_mode():
        try:
            small = images[:, :, : height // 2, : width // 2]
            expected, found = one(small), other(small)
        except (AssertionError, IndexError, RuntimeError, ValueError):
            expected, found = one(images), other(images)
    scale = float(expected.abs().max())
    return float((expected - found).abs().max()) / (scale or 1.0)


def unlike(one: nn.Module, other: nn.Module) -> str:
    """First tensor, class or setting in which two networks differ; empty where none does."""
    return next(_differences(one, other), "")


def _differences(one: nn.Module, other: nn.Module) -> Iterator[str]:
    for mine, theirs in zip_longest(one.named_modules(), other.named_modules()):
        if mine is None or theirs is None or mine[0] != theirs[0]:
            yield f"{(mine or theirs)[0]} is in one of them only"
            return
        path, module = mine
        if type(module) is not type(theirs[1]):
            yield f"{path} is a {type(module).__name__} and a {type(theirs[1]).__name__}"
        before, after = _settings(module), _settings(theirs[1])
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield f"{path}.{name} is {before.get(name)} and {after.get(name)}"
    yield from _different_tensors(one.state_dict(keep_vars=True), other.state_dict(keep_vars=True))


def _settings(module: nn.Module) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, SETTINGS) and name not in IGNORED and not _holds_tensors(value)
    }


def _holds_tensors(value: object) -> bool:
    return isinstance(value, tuple | list) and any(isinstance(each, Tensor) for each in value)


def _different_tensors(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> Iterator[str]:
    for name in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(name), theirs.get(name)
        if one is None or other is None:
            yield f"{name} is in one of them only"
        elif one.shape != other.shape or one.dtype != other.dtype:
            yield f"{name} is {_kind(one)} and {_kind(other)}"
        elif not torch.equal(one, other):
            yield f"{name} holds other numbers"


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype} of {tuple(tensor.shape)}"

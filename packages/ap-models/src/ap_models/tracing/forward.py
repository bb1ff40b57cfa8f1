"""One forward pass without weights: torch-pruning traces it, and what the layers do is noted."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch_pruning import DependencyGraph

from ap_core.errors import ModelError
from ap_models.attention import StandIn
from ap_models.skeleton import CANNOT_RUN, blank_images


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What the layers of one forward pass did, by module path.

    shapes: shapes of the first input and of the output of every call, at batch 1.
    order: place in the order of execution.
    """

    shapes: dict[str, list[tuple[tuple[int, ...], tuple[int, ...]]]]
    order: dict[str, int]

    def repeats(self, path: str) -> bool:
        """Whether a layer ran more than once."""
        return len(self.shapes.get(path, ())) > 1


def run(skeleton: nn.Module, input_size: tuple[int, int, int]) -> tuple[DependencyGraph, Calls]:
    """torch-pruning's graph of a network on the meta device, and what its layers did meanwhile.

    Raises: ModelError where the network does not run or its operators cannot be traced.
    """
    image = blank_images(skeleton, input_size)
    with _observing(skeleton) as calls:
        return _trace(skeleton, image), calls


@contextmanager
def _observing(skeleton: nn.Module) -> Iterator[Calls]:
    """Yield what the layers do in the forward pass that follows."""
    shapes: dict[str, list[tuple[tuple[int, ...], tuple[int, ...]]]] = defaultdict(list)
    order: dict[str, int] = {}

    def hook(path: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def note(_module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            order.setdefault(path, len(order))
            out = output[0] if isinstance(output, tuple) else output
            shapes[path].append((_shape(inputs[0] if inputs else None), _shape(out)))

        return note

    handles = [
        child.register_forward_hook(hook(path))
        for path, child in skeleton.named_modules()
        if not any(True for _ in child.children()) or isinstance(child, StandIn)
    ]
    try:
        yield Calls(shapes=shapes, order=order)
    finally:
        for handle in handles:
            handle.remove()


def _shape(value: object) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _trace(skeleton: nn.Module, image: torch.Tensor) -> DependencyGraph:
    for parameter in skeleton.parameters():
        parameter.requires_grad_()
    try:
        with torch.enable_grad():
            # A bare tensor would be tried as a list of its images first.
            return DependencyGraph().build_dependency(skeleton, (image,), verbose=False)
    except (*CANNOT_RUN, ZeroDivisionError) as error:
        _check_runs(skeleton, image)
        raise ModelError(
            f"torch-pruning cannot trace {type(skeleton).__name__}: {error}",
            hint="write a model adapter for it: see the plugin tutorial",
        ) from error


def _check_runs(skeleton: nn.Module, image: torch.Tensor) -> None:
    try:
        with torch.no_grad():
            skeleton(image)
    except CANNOT_RUN as error:
        raise ModelError(
            f"the network does not run on an input of {tuple(image.shape)}: {error}",
            hint="give the size that it was made for: --input-size 3,224,224",
        ) from error

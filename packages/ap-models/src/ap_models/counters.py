"""Counters of MACs and parameters; none runs the network with its weights, or changes it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._ops import OpOverloadPacket
from torch.nn import Module
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from ap_core.contracts import DataSource
from ap_core.errors import ModelError
from ap_models.skeleton import CANNOT_RUN, blank_images, meta_copy

_MULTIPLIES = re.compile(
    r"mm(_|$)|^(add)?mv(_|$)|dot(_|$)|matmul|^addr|^ger|outer|conv|attention|attn|linear|trilinear"
    r"|transformer|fft|cdist|linalg|lstm|gru|rnn|grid_sampl|embedding_bag|einsum"
)
"""Names of aten operators that multiply and accumulate."""

_FREE = re.compile(r"^embedding|backward|^_?upsample|linear_interp|^linspace|slice|vector_norm")


@dataclass(frozen=True, kw_only=True)
class Count:
    """What one forward pass at batch 1 takes.

    torch_pruning_macs: by torch-pruning's own counter, which takes in biases and norms too; None
        where it cannot count this network.
    uncounted: operators that multiply and accumulate and that the counter has no formula for.
    """

    macs: int
    torch_pruning_macs: int | None
    uncounted: tuple[str, ...]

    @property
    def others(self) -> dict[str, int]:
        """MACs by other counters' definitions, by their names."""
        known = self.torch_pruning_macs
        return {} if known is None else {"torch_pruning_macs": known}


def count(module: Module, input_size: tuple[int, int, int]) -> Count:
    """Multiply-accumulates of convolutions, linear layers and attention products, as an integer.

    Counted on the meta device with attention spelled out as two products, since fused attention is
    missed by the counter on a CPU. torch-pruning's counter watches the same forward pass.
    Raises: ModelError where the network does not run there.
    """
    with _slow_path():
        try:
            return _watched(module, input_size, _run_torch_pruning)
        except ModelError:
            # Its hooks trip over some modules; whether the network itself does shows without them.
            return _watched(module, input_size, _run)


def _watched(
    module: Module,
    input_size: tuple[int, int, int],
    forward: Callable[[Module, Tensor], int | None],
) -> Count:
    """Count of what happens in one forward pass. forward: returns torch-pruning's own count."""
    listing = _Listing()
    counter = FlopCounterMode(display=False)
    # The counter takes composite operators apart; what it then calls reaches the listing.
    with _without_weights(module, input_size) as (twin, image), listing, counter:
        theirs = forward(twin, image)
    return Count(
        macs=counter.get_total_flops() // 2,
        torch_pruning_macs=theirs,
        uncounted=tuple(sorted(str(operator) for operator in listing.ran if _unknown(operator))),
    )


def _run_torch_pruning(module: Module, image: Tensor) -> int:
    from torch_pruning.utils import count_ops_and_params

    # It copies what it counts; the twin is a copy already, and nobody needs it afterwards.
    vars(module)["__deepcopy__"] = lambda _memo: module
    macs, _ = count_ops_and_params(module, image)
    return int(macs)


def _run(module: Module, image: Tensor) -> None:
    module(image)


def count_macs(module: Module, input_size: tuple[int, int, int]) -> int:
    """Multiply-accumulates of one forward pass at batch 1."""
    return count(module, input_size).macs


def count_params(module: Module) -> int:
    """Number of parameters, shared ones once; buffers do not count."""
    return sum(parameter.numel() for parameter in module.parameters())


def macs_meter(
    module: Module,
    *,
    input_size: tuple[int, int, int],
    data: DataSource | None,  # noqa: ARG001
) -> Mapping[str, int | float]:
    """MACs, this program's definition, and torch-pruning's, under `torch_pruning_macs`."""
    found = count(module, input_size)
    return {"macs": found.macs, **found.others}


def params_meter(
    module: Module,
    *,
    input_size: tuple[int, int, int],  # noqa: ARG001
    data: DataSource | None,  # noqa: ARG001
) -> Mapping[str, int | float]:
    """Number of parameters."""
    return {"params": count_params(module)}


class _Listing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the operators that ran."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ran: set[OpOverloadPacket[..., object]] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN204
        self.ran.add(func._overloadpacket)
        return func(*args, **(kwargs or {}))


def _unknown(operator: OpOverloadPacket[..., object]) -> bool:
    """Whether an operator multiplies and has no formula."""
    return operator not in flop_registry and _multiplies(str(operator))


def _multiplies(operator: str) -> bool:
    space, _, name = operator.rpartition(".")
    if space not in {"aten", "prim", "prims"}:
        return True
    return bool(_MULTIPLIES.search(name)) and not _FREE.search(name)


@contextmanager
def _without_weights(
    module: Module, input_size: tuple[int, int, int]
) -> Iterator[tuple[Module, Tensor]]:
    """Twin in eval mode and one image, both on the meta device, where new tensors go as well.

    Raises: ModelError for what the network raises inside.
    """
    # The counter hooks modules whose input wants gradients, and trips over parameters as input.
    twin = meta_copy(module).eval().requires_grad_(requires_grad=False)
    try:
        with torch.no_grad(), torch.device("meta"):
            yield twin, blank_images(module, input_size)
    except CANNOT_RUN as error:
        side = " x ".join(map(str, input_size))
        raise ModelError(
            f"the network cannot be run without weights on an image of {side}: {error}",
            hint="it must not read values of tensors, and --input-size must suit it",
        ) from error


@contextmanager
def _slow_path() -> Iterator[None]:
    """Attention runs operator by operator, not by a fused kernel."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)

"""Masking: a whole-width network that computes what the cut one will, to check the cut against."""

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from ap_core.plan import Plan
from ap_models.attention import Attention
from ap_models.surgery.cut import (
    inner_positions,
    is_dropped,
    layer_attributes,
    query_scale,
    set_attributes,
)
from ap_models.surgery.tensors import (
    named_tensors,
    owner,
    precise,
    replace_tensor,
    split_first,
    take,
    tensor_at,
)
from ap_models.tracing.ports import IntArray, Port
from ap_models.tracing.trace import DependencyTracing

MIXING = ("ln", "gn", "in")
"""Normalisations whose statistics run over channels: they must see the kept ones only."""


class MaskedNorm(nn.Module):
    """A normalisation over the kept channels of a whole-width tensor; zero elsewhere."""

    def __init__(self, inner: nn.Module, positions: Tensor, axis: int) -> None:
        super().__init__()
        self.inner = inner
        self.axis = axis
        self.positions: Tensor
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        kept = self.inner(x.index_select(self.axis, self.positions))
        return torch.zeros_like(x).index_copy(self.axis, self.positions, kept)


def mask(module: nn.Module, tracing: DependencyTracing, plan: Plan) -> nn.Module:
    """Whole-width copy, in float32 at least, in which removed channels carry nothing and are read
    by nobody, and dropped branches add nothing. Tensors of which nothing is removed are shared, not
    copied.
    """
    kept = tracing.kept(plan)
    dropped = tracing.dropped(plan)
    silenced = {name for branch in dropped for name in branch.silenced}
    changed = {name for port in tracing.ports if _narrows(port, kept) for name, _ in port.tensors}
    changed |= silenced
    inside = tuple(attention.below("") for attention, _, _ in tracing.attentions)
    shared = {
        id(tensor): tensor
        for name, tensor in named_tensors(module).items()
        if name not in changed and not name.startswith(inside)
    }
    twin = precise(deepcopy(module, shared))
    with torch.no_grad():
        for name in silenced:
            tensor_at(twin, name).zero_()
        for attention, heads, size in tracing.attentions:
            if is_dropped(attention.path, dropped):
                continue
            rows = inner_positions(attention, heads, size, plan)
            _round_queries(twin, attention, rows, like=module)
            _mask_attention(twin, attention, rows)
        for port in tracing.ports:
            if not _narrows(port, kept):
                continue
            positions = kept[id(port)]
            if port.kind in MIXING:
                _mask_norm(twin, port.layer, port, positions)
            elif norm := _norm_of_parameter(twin, port):
                _mask_norm(twin, norm, port, positions)
            else:
                _mask_port(twin, port, positions)
    return twin


def _narrows(port: Port, kept: Mapping[int, IntArray]) -> bool:
    return len(kept[id(port)]) < len(port.channels)


def _mask_port(module: nn.Module, port: Port, positions: IntArray) -> None:
    removed = torch.from_numpy(np.setdiff1d(np.arange(len(port.channels)), positions))
    for name, axis in port.tensors:
        tensor = tensor_at(module, name)
        if name.endswith(("running_mean", "running_var")):
            continue
        if port.role == "in" and port.lanes > 1:
            width = len(port.channels) // port.lanes
            by_lane = split_first(tensor, port.lanes)
            by_lane[removed // width, :, removed % width] = 0
            continue
        tensor.index_fill_(axis, removed.to(tensor.device), 0)


def _norm_of_parameter(module: nn.Module, port: Port) -> str:
    """Path of the normalisation that owns a parameter (timm's GlobalResponseNorm); "" if none."""
    if port.role != "parameter":
        return ""
    holder, _ = owner(module, port.layer)
    return port.layer.rpartition(".")[0] if "Norm" in type(holder).__name__ else ""


def _mask_norm(module: nn.Module, path: str, port: Port, positions: IntArray) -> None:
    """Let a normalisation see the kept channels only; one parameter at a time if it has several."""
    norm = module.get_submodule(path)
    inner = deepcopy(norm.inner if isinstance(norm, MaskedNorm) else norm)
    index = torch.from_numpy(positions).to(next(inner.parameters()).device)
    for name, axis in port.tensors:
        below = name.removeprefix(f"{path}.")
        replace_tensor(inner, below, take(tensor_at(inner, below), axis, index))
    if port.role != "parameter":
        set_attributes(inner, layer_attributes(port, len(positions)))
    axis = norm.axis if isinstance(norm, MaskedNorm) else channel_axis(norm)
    module.set_submodule(path, MaskedNorm(inner, index, axis))


def channel_axis(norm: nn.Module) -> int:
    """Axis of the channels in a normalisation's input: last for layer norms over tokens."""
    if isinstance(norm, nn.GroupNorm | nn.modules.instancenorm._InstanceNorm):
        return 1
    own = getattr(norm, "channel_dim", None)
    if isinstance(own, int):
        return own
    return 1 if "2d" in type(norm).__name__ else -1


def _round_queries(
    module: nn.Module, attention: Attention, rows: IntArray, *, like: nn.Module
) -> None:
    """Round the queries as the cut network's are, whose scale it changes in its own type."""
    scale = query_scale(attention, rows)
    for name in filter(None, (attention.weight, attention.bias)):
        path = attention.below(name)
        queries = split_first(tensor_at(module, path), 3)[0]
        queries.copy_((queries * scale).to(tensor_at(like, path).dtype).to(queries.dtype) / scale)


def _mask_attention(module: nn.Module, attention: Attention, rows: IntArray) -> None:
    inner = attention.heads * attention.head_size
    if rows[0].size == inner:
        return
    query_key, value = (np.setdiff1d(np.arange(inner), r.reshape(-1)) for r in rows)
    packed = torch.from_numpy(np.concatenate([query_key, inner + query_key, 2 * inner + value]))
    for name in filter(None, (attention.weight, attention.bias)):
        tensor = tensor_at(module, attention.below(name))
        tensor.index_fill_(0, packed.to(tensor.device), 0)
    output = tensor_at(module, f"{attention.below(attention.projection)}.weight")
    output.index_fill_(1, torch.from_numpy(value).to(output.device), 0)

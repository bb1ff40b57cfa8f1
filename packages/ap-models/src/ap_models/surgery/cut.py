"""Cutting: every channel that the plan does not keep leaves the network's tensors, in place."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ap_core.contracts import Surgery
from ap_core.network import Group
from ap_core.plan import Plan
from ap_models.attention import Attention, PackedAttention
from ap_models.branches import STAND_INS, Branch, stand_ins
from ap_models.surgery.tensors import owner, replace_tensor, split_first, take, tensor_at
from ap_models.tracing.ports import IntArray, Port
from ap_models.tracing.trace import DependencyTracing

Attributes = dict[str, dict[str, int | float | list[int]]]
Value = int | float | list[int]

WIDTH_ATTRIBUTES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("conv", "out"): ("out_channels",),
    ("conv", "in"): ("in_channels",),
    ("dwconv", "norm"): ("in_channels", "out_channels", "groups"),
    ("linear", "out"): ("out_features",),
    ("linear", "in"): ("in_features",),
    ("bn", "norm"): ("num_features",),
    ("in", "norm"): ("num_features",),
    ("gn", "norm"): ("num_channels",),
    ("prelu", "norm"): ("num_parameters",),
}
"""What the kinds of layers call the number of channels of a side."""

PACKED = "packed_attention"
"""Name, in a run directory, of the module that takes the place of nn.MultiheadAttention."""


def cut(module: nn.Module, tracing: DependencyTracing, plan: Plan) -> Surgery:
    """Remove, in place, every block and every channel that the plan does not keep; returns what
    else changed.
    """
    kept = tracing.kept(plan)
    dropped = tracing.dropped(plan)
    replaced = _replace_attentions(module, tracing, dropped)
    replaced |= stand_ins(tracing.branches, [branch.path for branch in dropped])
    for path, kind in replaced.items():
        replace_module(module, path, kind)
    attributes: Attributes = defaultdict(dict)
    with torch.no_grad():
        for attention, heads, size in tracing.attentions:
            if not is_dropped(attention.path, dropped):
                _cut_attention(module, attention, heads, size, plan, attributes)
        for port in tracing.ports:
            if not is_dropped(port.layer, dropped):
                _cut_port(module, port, kept[id(port)], attributes)
    for path, values in attributes.items():
        set_attributes(module.get_submodule(path), values)
    return Surgery(attributes=dict(attributes), replaced=replaced)


def set_attributes(module: nn.Module, values: Mapping[str, Value]) -> None:
    """Set attributes that a layer already has; tuples stay tuples.

    Raises: AttributeError where the layer has no such attribute.
    """
    for name, value in values.items():
        before = getattr(module, name)
        setattr(module, name, tuple(value) if isinstance(before, tuple) else value)  # type: ignore[arg-type]


def replace_module(module: nn.Module, path: str, kind: str) -> None:
    """Put the module named `kind` in the place of the one at `path`: one of the same function, or
    what stands in for a dropped branch.

    Raises: ValueError where there is no such kind.
    """
    before = module.get_submodule(path)
    if kind in STAND_INS:
        module.set_submodule(path, STAND_INS[kind]().train(before.training))
        return
    if kind != PACKED or not isinstance(before, nn.MultiheadAttention):
        raise ValueError(f"nothing is known that replaces {type(before).__name__} by {kind!r}")
    module.set_submodule(path, PackedAttention.of(before))


def is_dropped(path: str, dropped: Iterable[Branch]) -> bool:
    """Whether a module goes with one of these branches."""
    return any(branch.holds(path) for branch in dropped)


def _replace_attentions(
    module: nn.Module, tracing: DependencyTracing, dropped: Sequence[Branch]
) -> dict[str, str]:
    return {
        attention.path: PACKED
        for attention, _, _ in tracing.attentions
        if not is_dropped(attention.path, dropped)
        and isinstance(module.get_submodule(attention.path), nn.MultiheadAttention)
    }


def _cut_port(module: nn.Module, port: Port, positions: IntArray, attributes: Attributes) -> None:
    whole = len(port.channels)
    if len(positions) == whole:
        return
    for name, axis in port.tensors:
        tensor = tensor_at(module, name)
        if port.role == "in" and port.lanes > 1:
            value = _take_by_lane(tensor, port, positions)
        else:
            value = take(tensor, axis, torch.from_numpy(positions))
        replace_tensor(module, name, value)
    if port.kind == "attention":
        holder, _ = owner(module, port.tensors[0][0])
        if isinstance(holder, nn.Linear):
            side = "in_features" if port.role == "in" else "out_features"
            attributes[port.tensors[0][0].removesuffix(".weight")][side] = len(positions)
    elif port.role != "parameter":
        attributes[port.layer] |= layer_attributes(port, len(positions))


def _take_by_lane(weight: Tensor, port: Port, positions: IntArray) -> Tensor:
    """Input slices of a grouped layer: lane l of the filters keeps its own positions."""
    slice_ = len(port.channels) // port.lanes
    local = torch.from_numpy(positions % slice_).reshape(port.lanes, -1).to(weight.device)
    filters = split_first(weight, port.lanes)
    index = local[:, None, :].expand(-1, filters.shape[1], -1)
    index = index.reshape(*index.shape, *([1] * (filters.dim() - 3)))
    index = index.expand(-1, -1, -1, *filters.shape[3:])
    return torch.gather(filters, 2, index).flatten(0, 1)


def layer_attributes(port: Port, width: int) -> dict[str, Value]:
    """Attributes of a layer that say how many channels this side has."""
    if port.kind == "ln":
        return {"normalized_shape": [width]}
    return dict.fromkeys(WIDTH_ATTRIBUTES[port.kind, port.role], width)


def inner_positions(attention: Attention, heads: Group, size: Group, plan: Plan) -> IntArray:
    """Rows that stay of queries and keys, and of values, shape (2, heads kept, head size kept)."""
    whole_size, whole_heads = attention.head_size, attention.heads
    kept_heads = np.asarray(plan.kept.get(heads.name, range(whole_heads)), np.int64)
    if size.name in plan.kept:
        flat = np.asarray(plan.kept[size.name], np.int64)
        by_lane = flat.reshape(len(kept_heads), 2, plan.widths[size.name])
        return by_lane.transpose(1, 0, 2) % whole_size + kept_heads[None, :, None] * whole_size
    rows = kept_heads[:, None] * whole_size + np.arange(whole_size)[None, :]
    return np.stack([rows, rows])


def query_scale(attention: Attention, rows: IntArray) -> float:
    """What queries are multiplied by, so that a smaller head size leaves the products as they were.

    rows: from `inner_positions`.
    """
    scale: float = (rows.shape[2] / attention.head_size) ** 0.5
    return scale


def _cut_attention(
    module: nn.Module,
    attention: Attention,
    heads: Group,
    size: Group,
    plan: Plan,
    attributes: Attributes,
) -> None:
    """Keep the rows of the kept heads, and of each the kept part; keep the function's scale.

    Fused attention scales by one over the root of the head size: with fewer dimensions the scale
    would grow, so the difference goes into the queries.
    """
    rows = inner_positions(attention, heads, size, plan)
    kept_heads, kept_size = rows.shape[1], rows.shape[2]
    if (kept_heads, kept_size) == (attention.heads, attention.head_size):
        return
    inner = attention.heads * attention.head_size
    query_key = torch.from_numpy(rows[0].reshape(-1))
    value = torch.from_numpy(rows[1].reshape(-1))
    packed = torch.cat([query_key, inner + query_key, 2 * inner + value])
    for name in filter(None, (attention.weight, attention.bias)):
        path = attention.below(name)
        kept = take(tensor_at(module, path), 0, packed).clone()
        kept[: len(query_key)] *= query_scale(attention, rows)
        replace_tensor(module, path, kept)
    output = f"{attention.below(attention.projection)}.weight"
    replace_tensor(module, output, take(tensor_at(module, output), 1, value))
    holder = module.get_submodule(attention.path)
    values: dict[str, Value] = {"num_heads": kept_heads, "head_dim": kept_size}
    if hasattr(holder, "attn_dim"):
        values["attn_dim"] = kept_heads * kept_size
    if hasattr(holder, "scale"):
        values["scale"] = kept_size**-0.5
    attributes[attention.path] |= values
    _linear_attributes(module, attention, attributes, 3 * len(value), len(value))


def _linear_attributes(
    module: nn.Module, attention: Attention, attributes: Attributes, packed: int, inner: int
) -> None:
    holder, _ = owner(module, attention.below(attention.weight))
    if isinstance(holder, nn.Linear):
        attributes[attention.below(attention.weight).removesuffix(".weight")]["out_features"] = (
            packed
        )
    attributes[attention.below(attention.projection)]["in_features"] = inner

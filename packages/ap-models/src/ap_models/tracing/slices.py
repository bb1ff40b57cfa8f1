"""What each group owns of each layer's weights: the rows that an importance scores."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ap_core.contracts import LayerSlice
from ap_core.network import Group
from ap_models.attention import Attention
from ap_models.parts import Part
from ap_models.surgery.tensors import split_first, tensor_at
from ap_models.tracing.groups import Layout, Member
from ap_models.tracing.trace import DependencyTracing

NORMS = ("bn", "ln", "gn", "in")
STATISTICS = ("running_mean", "running_var")


def parts(
    tracing: DependencyTracing, module: nn.Module, group: str, *, gradients: bool = False
) -> Iterator[Part]:
    """Slices of every layer of a group, channels first; of a head size, rows of its attention.

    gradients: take `.grad` of the parameters along; it must be there.
    """
    if group in tracing.layout_of:
        yield from _of_layout(tracing.layout_of[group], module, gradients=gradients)
        return
    attention, size = tracing.attention_of[group]
    yield from _of_attention(attention, size, module, gradients=gradients)


def _of_layout(layout: Layout, module: nn.Module, *, gradients: bool) -> Iterator[Part]:
    for member in layout.members:
        tensors = [
            (tensor_at(module, name), axis)
            for name, axis in member.port.tensors
            if not name.endswith(STATISTICS)
        ]
        if not tensors:
            continue
        role = "norm" if member.port.kind in NORMS else member.port.role
        role = "out" if member.port.kind == "dwconv" else role
        weight, axis = tensors[0]
        bias = tensors[1][0] if len(tensors) > 1 else None
        positions = torch.from_numpy(member.positions).to(weight.device)
        yield _part(
            member.port.layer,
            member.port.kind,
            role,
            _rows(weight, axis, member, positions),
            None if bias is None else bias[positions].reshape(-1),
            _rows(_gradient(weight), axis, member, positions) if gradients else None,
            _gradient(bias)[positions].reshape(-1) if gradients and bias is not None else None,
            index=torch.arange(len(positions)).repeat_interleave(positions.shape[1]),
        )


def _rows(tensor: Tensor, axis: int, member: Member, positions: Tensor) -> Tensor:
    """Rows (channels * multiplicity, everything else) at the positions of one axis.

    The input side of a grouped layer has one slice a lane: position p is index p % slice of the
    filters of lane p // slice.
    """
    flat = positions.reshape(-1)
    if member.port.role != "in" or member.port.lanes == 1:
        rows = tensor.movedim(axis, 0).flatten(1) if tensor.ndim > 1 else tensor[:, None]
        return rows if _everything(member, len(rows)) else rows[flat]
    lanes, slice_ = member.port.lanes, tensor.shape[1]
    by_lane = split_first(tensor, lanes).movedim(2, 1).flatten(2)
    return by_lane[flat // slice_, flat % slice_]


def _everything(member: Member, count: int) -> bool:
    """Whether the positions are all there are, in their order: then nothing need be copied."""
    return member.positions.size == count and bool(
        (member.positions.reshape(-1) == np.arange(count)).all()
    )


def _of_attention(
    attention: Attention, size: Group, module: nn.Module, *, gradients: bool
) -> Iterator[Part]:
    """Query rows and key rows (lanes 2h), value rows and output columns (lanes 2h + 1)."""
    lanes = torch.arange(size.lanes * size.width).reshape(attention.heads, 2, size.width)
    index = (lanes[:, 0].reshape(-1), lanes[:, 0].reshape(-1), lanes[:, 1].reshape(-1))
    packed = tensor_at(module, attention.below(attention.weight))
    weight = split_first(packed, 3)
    grad = split_first(_gradient(packed), 3) if gradients else None
    bias = bias_grad = None
    if attention.bias:
        vector = tensor_at(module, attention.below(attention.bias))
        bias = split_first(vector, 3)
        bias_grad = split_first(_gradient(vector), 3) if gradients else None
    for which, what in enumerate(("query", "key", "value")):
        yield _part(
            f"{attention.path}.{what}",
            "attention",
            "out",
            weight[which],
            None if bias is None else bias[which],
            None if grad is None else grad[which],
            None if bias_grad is None else bias_grad[which],
            index=index[which],
        )
    output = tensor_at(module, f"{attention.below(attention.projection)}.weight")
    yield _part(
        attention.below(attention.projection),
        "attention",
        "in",
        output.movedim(1, 0),
        None,
        _gradient(output).movedim(1, 0) if gradients else None,
        None,
        index=index[2],
    )


def _part(
    layer: str,
    kind: str,
    role: str,
    weight: Tensor,
    bias: Tensor | None,
    gradient: Tensor | None,
    bias_gradient: Tensor | None,
    *,
    index: Tensor,
) -> Part:
    return Part(
        slice=LayerSlice(
            layer=layer,
            kind=kind,
            role=role,
            weight=weight.detach(),
            bias=None if bias is None else bias.detach(),
            gradient=gradient,
            bias_gradient=bias_gradient,
        ),
        index=index,
    )


def _gradient(parameter: Tensor | None) -> Tensor:
    """Gradient of a parameter; zeros where the loss does not depend on it."""
    if parameter is None:
        raise TypeError("no parameter")
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad

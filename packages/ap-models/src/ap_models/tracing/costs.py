"""The cost of every layer as a polynomial in the widths of the groups."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import prod

from torch import nn

from ap_core.network import Group, LayerCost, Term
from ap_models.attention import Attention
from ap_models.tracing.forward import Calls
from ap_models.tracing.groups import Layout, StageOf
from ap_models.tracing.ports import Port

Polynomial = dict[tuple[str, ...], int]
Axes = dict[str, dict[int, Polynomial]]


def layer_costs(
    module: nn.Module,
    ports: Sequence[Port],
    layouts: Sequence[Layout],
    attentions: Sequence[tuple[Attention, Group, Group]],
    calls: Calls,
    stage_of: StageOf,
) -> tuple[LayerCost, ...]:
    """MACs and parameters of every module that owns weights, and of the products of attentions.

    module: the network itself, not the skeleton; its weights are not read. A parameter that several
        modules share counts with the first.
    """
    axes = _axes(ports, layouts, attentions)
    packed = {a.below(a.weight).rpartition(".")[0]: a for a, _, _ in attentions}
    inside = packed | {a.below(a.projection): a for a, _, _ in attentions}
    costs = []
    counted: set[int] = set()
    for path, child in module.named_modules():
        own = dict(child.named_parameters(prefix=path, recurse=False))
        if not own:
            continue
        sizes = {name: _size(tuple(p.shape), axes.get(name, {})) for name, p in own.items()}
        positions = _positions(path, child, inside.get(path), calls)
        weight = packed[path].below(packed[path].weight) if path in packed else f"{path}.weight"
        macs = _scale(sizes.get(weight, {}), positions)
        fresh = [name for name, parameter in own.items() if id(parameter) not in counted]
        counted |= {id(parameter) for parameter in own.values()}
        costs.append(
            LayerCost(
                layer=path,
                kind=type(child).__name__,
                stage=stage_of(path),
                macs=_terms(macs),
                params=_terms(_sum(sizes[name] for name in fresh)),
            )
        )
    products = [
        _products(attention, heads, size, calls, stage_of) for attention, heads, size in attentions
    ]
    return tuple(costs + products)


def _axes(
    ports: Sequence[Port],
    layouts: Sequence[Layout],
    attentions: Sequence[tuple[Attention, Group, Group]],
) -> Axes:
    """For every parameter, the sizes of the axes that a plan can change."""
    widths = _port_widths(ports, layouts)
    axes: Axes = defaultdict(dict)
    for port in ports:
        share = port.lanes if port.role == "in" else 1
        positions = {groups: count // share for groups, count in widths[id(port)].items()}
        for name, axis in port.tensors:
            axes[name][axis] = positions
    for attention, heads, size in attentions:
        inner = tuple(sorted((heads.name, size.name)))
        axes[attention.below(attention.weight)][0] = {inner: 3}
        if attention.bias:
            axes[attention.below(attention.bias)][0] = {inner: 3}
        axes[f"{attention.below(attention.projection)}.weight"][1] = {inner: 1}
    return axes


def _port_widths(ports: Sequence[Port], layouts: Sequence[Layout]) -> dict[int, Polynomial]:
    """Number of positions of every port: what is fixed, and a multiple of each group's width."""
    widths: dict[int, Polynomial] = {id(port): {(): len(port.channels)} for port in ports}
    for layout in layouts:
        if layout.group.locked:
            continue
        for member in layout.members:
            polynomial = widths[id(member.port)]
            polynomial[()] -= member.positions.size
            polynomial[(layout.group.name,)] = layout.group.lanes * member.positions.shape[1]
    return {key: {g: c for g, c in p.items() if c} for key, p in widths.items()}


def _size(shape: tuple[int, ...], axes: Mapping[int, Polynomial]) -> Polynomial:
    """Number of elements of a tensor."""
    size: Polynomial = {(): prod(n for axis, n in enumerate(shape) if axis not in axes)}
    for polynomial in axes.values():
        size = _product(size, polynomial)
    return size


def _positions(path: str, module: nn.Module, attention: Attention | None, calls: Calls) -> int:
    """How often every weight of a layer is multiplied in one forward pass."""
    if attention is not None:
        return sum(prod(out[:-1]) for _, out in calls.shapes.get(attention.path, ()))
    shapes = calls.shapes.get(path, ())
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        return sum(prod(given) // module.in_channels for given, _ in shapes)
    if isinstance(module, nn.modules.conv._ConvNd):
        return sum(prod(out) // module.out_channels for _, out in shapes)
    if isinstance(module, nn.Linear):
        return sum(prod(out) // module.out_features for _, out in shapes)
    return 0


def _products(
    attention: Attention, heads: Group, size: Group, calls: Calls, stage_of: StageOf
) -> LayerCost:
    """Queries times keys, and weights times values: tokens^2 * heads * head size each."""
    squares = sum(
        prod(out[:-2]) * out[-2] * out[-2] for _, out in calls.shapes.get(attention.path, ())
    )
    term = Term(coefficient=2 * squares, groups=tuple(sorted((heads.name, size.name))))
    return LayerCost(
        layer=f"{attention.path}.products",
        kind="attention products",
        stage=stage_of(attention.path),
        macs=(term,) if squares else (),
    )


def _product(one: Polynomial, other: Polynomial) -> Polynomial:
    result: Polynomial = defaultdict(int)
    for a, m in one.items():
        for b, n in other.items():
            result[tuple(sorted(a + b))] += m * n
    return dict(result)


def _sum(polynomials: Iterable[Polynomial]) -> Polynomial:
    result: Polynomial = defaultdict(int)
    for polynomial in polynomials:
        for groups, count in polynomial.items():
            result[groups] += count
    return dict(result)


def _scale(polynomial: Polynomial, factor: int) -> Polynomial:
    return {groups: count * factor for groups, count in polynomial.items()} if factor else {}


def _terms(polynomial: Polynomial) -> tuple[Term, ...]:
    return tuple(Term(coefficient=c, groups=g) for g, c in sorted(polynomial.items()) if c)

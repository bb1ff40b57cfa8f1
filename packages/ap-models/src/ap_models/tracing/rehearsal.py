"""Rehearsal: cutting a network of unknown family without weights, to see what the trace missed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from textwrap import shorten

from torch import nn

from ap_core.cost import CostModel
from ap_core.errors import ModelError
from ap_core.network import Group, Network
from ap_core.plan import Plan
from ap_models.counters import count_macs, count_params
from ap_models.skeleton import meta_copy
from ap_models.tracing.trace import DependencyTracing

Cut = Callable[[nn.Module, DependencyTracing, Plan], object]

LENGTH = 200
"""Characters of a reason for a lock."""


def rehearse(module: nn.Module, tracing: DependencyTracing, cut: Cut) -> DependencyTracing:
    """The tracing, with every group locked that cannot be cut alone.

    Raises: ModelError where the rest cannot be cut together, or nothing is left to cut.
    """
    free = tracing.network.free
    if not _failure(module, tracing, cut, free):
        return tracing
    failures = {g.name: _failure(module, tracing, cut, _with_inside(g, free)) for g in free}
    checked = _lock(tracing, failures)
    failure = _failure(module, checked, cut, checked.network.free)
    if failure or not checked.network.free:
        raise ModelError(
            f"{tracing.network.model} cannot be cut: {failure or 'no group of channels can be'}",
            hint="write a model adapter for it: see the plugin tutorial",
        )
    return checked


def thin(network: Network, groups: Iterable[Group]) -> Plan:
    """Plan that keeps a little more than half of the first channels of these groups."""
    widths, kept = dict(network.whole), {}
    groups = sorted(groups, key=lambda group: bool(group.inside))
    for group in groups:
        width = widths[group.name] = group.width // 2 + 1
        heads = range(widths.get(group.inside, 0))
        lanes = [lane for h in heads for lane in (2 * h, 2 * h + 1)] or range(group.lanes)
        kept[group.name] = tuple(lane * group.width + i for lane in lanes for i in range(width))
    model = CostModel(network)
    macs, params = model.macs(widths), model.params(widths)
    return Plan(widths=widths, kept=kept, macs=macs, params=params, value=0.0, bound=None)


def _with_inside(group: Group, free: Iterable[Group]) -> list[Group]:
    """A group; with the heads, their size, whose lanes depend on them."""
    return [group, *(other for other in free if other.inside == group.name)]


def _failure(
    module: nn.Module, tracing: DependencyTracing, cut: Cut, groups: Iterable[Group]
) -> str:
    """Why the network cannot be cut in these groups; empty where it can."""
    plan = thin(tracing.network, groups)
    twin = meta_copy(module)
    try:
        cut(twin, tracing, plan)
        found = (count_macs(twin, tracing.network.input_size), count_params(twin))
    except ModelError as error:
        return error.message
    expected = (plan.macs, plan.params)
    if found == expected:
        return ""
    return "it has {} MACs and {} parameters, not {} and {} as predicted".format(*found, *expected)


def _lock(tracing: DependencyTracing, failures: Mapping[str, str]) -> DependencyTracing:
    def locked(group: Group) -> Group:
        failure = failures.get(group.name, "")
        reason = shorten(f"when it is cut: {failure}", LENGTH, placeholder=" ...")
        return replace(group, locked=reason) if failure else group

    network = tracing.network
    return replace(
        tracing,
        network=replace(network, groups=tuple(locked(group) for group in network.groups)),
        layouts=tuple(replace(layout, group=locked(layout.group)) for layout in tracing.layouts),
        attentions=tuple((a, locked(heads), locked(size)) for a, heads, size in tracing.attentions),
    )

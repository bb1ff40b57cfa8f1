"""From widths to channels: which ones stay, by what they are worth."""

from collections.abc import Mapping, Sequence

import numpy as np

from ap_core.cost import CostModel
from ap_core.network import Network
from ap_core.plan import Plan
from ap_core.solver.problem import Problem, head_sums
from ap_core.solver.values import Worth


def plan_of(
    network: Network, problem: Problem, options: Sequence[int], worth: Mapping[str, Worth]
) -> Plan:
    """Plan of these options: the channels that are worth most, as many as the widths say."""
    widths = {
        name: int(width)
        for variable, option in zip(problem.variables, options, strict=True)
        for name, width in zip(variable.groups, variable.widths[option], strict=True)
    }
    gone = {name for block in network.blocks if not widths[block.name] for name in block.groups}
    widths |= dict.fromkeys(gone, 0)
    kept: dict[str, tuple[int, ...]] = {}
    for group in network.groups:
        if group.name in worth and not group.inside:
            lanes = range(group.lanes)
            kept[group.name] = _best(worth[group.name], lanes, widths[group.name], group.width)
    for group in network.groups:
        if not group.inside:
            continue
        count = network.by_name[group.inside].width
        heads = _best_heads(worth.get(group.name), widths[group.name], widths[group.inside], count)
        if not network.by_name[group.inside].locked:
            kept[group.inside] = heads
        if group.name in worth:
            lanes_of = [lane for head in heads for lane in (2 * head, 2 * head + 1)]
            kept[group.name] = _best(worth[group.name], lanes_of, widths[group.name], group.width)
    model = CostModel(network)
    return Plan(
        widths={name: widths[name] for name in network.whole},
        kept=kept,
        macs=model.macs(widths),
        params=model.params(widths),
        latency=model.latency(widths),
        value=problem.share(problem.value(options)),
        bound=None,
    )


def _best(worth: Worth, lanes: Sequence[int] | range, width: int, whole: int) -> tuple[int, ...]:
    """Flat indices of the best channels of some lanes, ascending."""
    some = np.asarray(lanes, np.int64)
    channels = np.sort(worth.order[some, :width], axis=1)
    return tuple((some[:, None] * whole + channels).ravel().tolist())


def _best_heads(worth: Worth | None, size: int, kept: int, count: int) -> tuple[int, ...]:
    """Heads that keep most with the chosen size, ascending; the first where nothing is known."""
    if worth is None:
        return tuple(range(kept))
    sums = head_sums(worth, size, count)
    return tuple(sorted(np.argsort(-sums, kind="stable")[:kept].tolist()))

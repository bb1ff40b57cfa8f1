"""What channels are worth: scores, made comparable by the strategy, as curves over the width."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ap_core.budget import Budget
from ap_core.cost import CostModel
from ap_core.network import GroupKind, Metric, Network
from ap_core.plan import Plan
from ap_core.scores import FloatArray, Scores
from ap_core.solver.options import Choice, IntArray
from ap_core.strategy import Normalisation, Ranking, Strategy

LEAST = 1e-6
"""Relative worth below which no channel falls: one more channel is never worth nothing."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """Channels of one group, best first.

    order: (lanes, width), channels of every lane, best first; equal ones by their index.
    values: (lanes, width), what the first, second, ... of them adds; descending in a lane.
    """

    order: IntArray = field(repr=False)
    values: FloatArray = field(repr=False)


def worths(
    network: Network,
    scores: Scores,
    strategy: Strategy,
    budget: Budget,
    allowed: Mapping[str, Choice],
) -> dict[str, Worth]:
    """What the channels of every scored group are worth to this strategy."""
    relative = _relative(network, scores, strategy)
    unit = _unit_costs(network, budget)
    additive = strategy.ranking is Ranking.GLOBAL and strategy.normalisation is Normalisation.NONE
    found = {}
    for name, values in relative.items():
        order = np.argsort(-values, axis=1, kind="stable")
        ranked = np.take_along_axis(values, order, axis=1)
        if strategy.ranking is Ranking.UNIFORM:
            ranked = np.broadcast_to(_falling(ranked.shape[1]) + 1.0, ranked.shape)
        weight = (1.0 if additive else unit[name]) / allowed[name].pressure
        prior = np.exp(strategy.smoothing * _falling(ranked.shape[1]))
        found[name] = Worth(order=order, values=np.maximum(ranked, LEAST) * prior * weight)
    return found


def head_factors(strategy: Strategy, heads: int) -> FloatArray:
    """How much the first, second, ... head of an attention counts: the prior, over heads."""
    factors: FloatArray = np.exp(strategy.smoothing * _falling(heads))
    return factors


def retained_value(network: Network, scores: Scores, strategy: Strategy, plan: Plan) -> float:
    """Share of all scores that a plan keeps, weighed by what the channels cost, 0 to 1.

    One yardstick for plans of different strategies: it heeds the ranking and the normalisation of
    the strategy given, not its pressure or its prior.
    """
    relative = _relative(network, scores, strategy)
    unit = _whole_unit_costs(network, Metric.MACS)
    kept = total = 0.0
    for name, values in relative.items():
        flat = values.reshape(-1) * unit[name]
        total += float(flat.sum())
        kept += float(flat[np.asarray(plan.kept[name], np.int64)].sum())
    return kept / total if total else 1.0


def _falling(width: int) -> FloatArray:
    """From just below 1 to just above -1 in equal steps; mean 0."""
    falling: FloatArray = 1.0 - (2.0 * np.arange(width) + 1.0) / width
    return falling


def _relative(network: Network, scores: Scores, strategy: Strategy) -> dict[str, FloatArray]:
    """Scores, normalised in their group, then divided by the mean of those they compete with."""
    normal = {name: _normalised(v, strategy.normalisation) for name, v in scores.values.items()}
    if strategy.ranking is Ranking.GLOBAL and strategy.normalisation is Normalisation.NONE:
        return normal
    rivals: dict[str, list[FloatArray]] = defaultdict(list)
    keys = {
        name: network.by_name[name].scope if strategy.ranking is Ranking.ISOMORPHIC else ""
        for name in normal
    }
    for name, values in normal.items():
        rivals[keys[name]].append(values.reshape(-1))
    means = {key: float(np.concatenate(values).mean()) for key, values in rivals.items()}
    return {
        name: values / means[keys[name]] if means[keys[name]] > 0 else np.ones_like(values)
        for name, values in normal.items()
    }


def _normalised(values: FloatArray, how: Normalisation) -> FloatArray:
    match how:
        case Normalisation.NONE:
            return values
        case Normalisation.MEAN:
            scale = values.mean()
        case Normalisation.MAX:
            scale = values.max()
        case Normalisation.SUM:
            scale = values.sum()
        case Normalisation.GAUSSIAN:
            spread = values.std()
            return np.exp((values - values.mean()) / spread if spread > 0 else values * 0.0)
    return values / scale if scale > 0 else values


def _unit_costs(network: Network, budget: Budget) -> dict[str, float]:
    """Cost of one channel of one lane at the whole widths, as a share of the caps."""
    total: dict[str, float] = defaultdict(float)
    for cap in budget.caps:
        for name, cost in _whole_unit_costs(network, cap.metric).items():
            total[name] += cost / cap.limit
    return total


def _whole_unit_costs(network: Network, metric: Metric) -> dict[str, float]:
    """What one channel of one lane costs at the whole widths."""
    per_width: dict[str, float] = defaultdict(float)
    for term in CostModel(network).terms(metric):
        size = float(term.coefficient)
        for name in term.groups:
            size *= network.whole[name]
        for name in term.groups:
            per_width[name] += size / network.whole[name]
    return {
        group.name: per_width[group.name] / group.lanes
        for group in network.groups
        if group.kind is not GroupKind.HEADS
    }

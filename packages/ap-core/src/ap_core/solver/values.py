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
class Rule:
    """How scores become worths: what a strategy says, or what suits the importance."""

    ranking: Ranking
    normalisation: Normalisation
    smoothing: float

    @classmethod
    def of(cls, strategy: Strategy, *, additive: bool) -> "Rule":
        """Rule of a strategy for scores that are on one scale (additive), or are not.

        Changes of the loss are taken as they are. Norms of weights tell the channels of a group
        apart, but not the groups. docs/explanation/measurements.md has what this is based on.
        """
        suited = ADDITIVE if additive else RELATIVE
        return cls(
            ranking=strategy.ranking or suited.ranking,
            normalisation=strategy.normalisation or suited.normalisation,
            smoothing=suited.smoothing if strategy.smoothing is None else strategy.smoothing,
        )

    @property
    def sums_scores(self) -> bool:
        """Whether what a plan keeps is the plain sum of its channels' scores."""
        return self.ranking is Ranking.GLOBAL and self.normalisation is Normalisation.NONE


ADDITIVE = Rule(ranking=Ranking.GLOBAL, normalisation=Normalisation.NONE, smoothing=0.25)
RELATIVE = Rule(ranking=Ranking.ISOMORPHIC, normalisation=Normalisation.MEAN, smoothing=0.0)


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
    rule = Rule.of(strategy, additive=scores.additive)
    relative = _relative(network, scores, rule)
    unit = _unit_costs(network, budget)
    mean = float(np.mean([v.mean() for v in relative.values()])) if relative else 0.0
    least = LEAST * (mean if rule.sums_scores and mean > 0 else 1.0)
    found = {}
    for name, values in relative.items():
        order = np.argsort(-values, axis=1, kind="stable")
        ranked = np.take_along_axis(values, order, axis=1)
        if rule.ranking is Ranking.UNIFORM:
            ranked = np.broadcast_to(_falling(ranked.shape[1]) + 1.0, ranked.shape)
        weight = (1.0 if rule.sums_scores else unit[name]) / allowed[name].pressure
        prior = np.exp(rule.smoothing * _falling(ranked.shape[1]))
        found[name] = Worth(order=order, values=np.maximum(ranked, least) * prior * weight)
    return found


def head_factors(smoothing: float, heads: int) -> FloatArray:
    """How much the first, second, ... head of an attention counts: the prior, over heads."""
    factors: FloatArray = np.exp(smoothing * _falling(heads))
    return factors


def retained_value(network: Network, scores: Scores, strategy: Strategy, plan: Plan) -> float:
    """Share of all scores that a plan keeps, 0 to 1; weighed by what the channels cost, unless the
    scores are on one scale.

    One yardstick for plans of different strategies: it heeds the ranking and the normalisation of
    the strategy given, not its pressure or its prior.
    """
    rule = Rule.of(strategy, additive=scores.additive)
    relative = _relative(network, scores, rule)
    unit = _whole_unit_costs(network, Metric.MACS)
    kept = total = 0.0
    for name, values in relative.items():
        flat = values.reshape(-1) * (1.0 if rule.sums_scores else unit[name])
        total += float(flat.sum())
        kept += float(flat[np.asarray(plan.kept[name], np.int64)].sum())
    return kept / total if total else 1.0


def _falling(width: int) -> FloatArray:
    """From just below 1 to just above -1 in equal steps; mean 0."""
    falling: FloatArray = 1.0 - (2.0 * np.arange(width) + 1.0) / width
    return falling


def _relative(network: Network, scores: Scores, rule: Rule) -> dict[str, FloatArray]:
    """Scores, normalised in their group, then divided by the mean of those they compete with."""
    normal = {name: _normalised(v, rule.normalisation) for name, v in scores.values.items()}
    if rule.sums_scores:
        return normal
    rivals: dict[str, list[FloatArray]] = defaultdict(list)
    keys = {
        name: network.by_name[name].scope if rule.ranking is Ranking.ISOMORPHIC else ""
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
    """Cost of one channel of one lane at the whole widths, as a share of the caps.

    Under a cap on the latency, its MACs as a share of as much of these: what is slow for its MACs
    is to go first, and would not if it were worth more for being slow.
    """
    cost, whole = CostModel(network), network.whole
    total: dict[str, float] = defaultdict(float)
    for cap in budget.caps:
        metric, limit = cap.metric, float(cap.limit)
        if metric is Metric.LATENCY:
            metric, limit = Metric.MACS, limit / cost.latency(whole) * cost.macs(whole)
        for name, each in _whole_unit_costs(network, metric).items():
            total[name] += each / limit
    return total


def _whole_unit_costs(network: Network, metric: Metric) -> dict[str, float]:
    """What one channel of one lane costs at the whole widths."""
    per_width: dict[str, float] = defaultdict(float)
    for term in CostModel(network).terms(metric):
        size = float(term.coefficient * term.size(network.whole))
        for name in term.groups:
            per_width[name] += size / network.whole[name]
    return {
        group.name: per_width[group.name] / group.lanes
        for group in network.groups
        if group.kind is not GroupKind.HEADS
    }

"""The profiling agent's measurements: where the cost is, what it is worth, how much can go."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from math import ceil

import numpy as np

from ap_core.cost import CostModel
from ap_core.network import Group, Metric, Network
from ap_core.scores import FloatArray, Scores
from ap_core.solver.options import allowed_by
from ap_core.strategy import Strategy

SCOPES = 24
"""Scopes that are shown one by one; what is left is named as kinds only."""

GROUPS = 16
"""Groups that are shown one by one: those whose cost and worth differ most."""

BLOCKS = 12
"""Blocks that are shown: those that are worth least for what they cost."""


@dataclass(frozen=True, kw_only=True)
class Area:
    """Groups that are shown in one line: those of one scope, or a single one.

    name: what a reply calls them. glob: what a strategy calls them.
    channels: of all lanes and groups.
    cost: share of the capped metric that their widths decide; of a product of several widths each
        has its part, in equal shares.
    worth: share of all scores; None where there are none.
    lower: share of their own scores that the lower half of each group's channels holds: 0 where
        half can go at no loss, 0.5 where all channels are alike.
    least: share of the channels that must stay, by floors and multiples.
    half: held-out loss where half of the channels go and all else stays; None where not measured.
    """

    name: str
    glob: str
    kind: str
    stages: tuple[str, ...]
    groups: int
    channels: int
    cost: float
    worth: float | None
    lower: float | None
    least: float
    half: float | None = None


@dataclass(frozen=True, kw_only=True)
class BlockArea:
    """A block that can be dropped whole.

    cost: share of the capped metric that goes with it. worth: share of all scores, of the groups
    inside it; None where there are none.
    gone: held-out loss where it is dropped and all else stays; None where not measured.
    """

    name: str
    cost: float
    worth: float | None
    gone: float | None = None


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the names that a reply may use stand for, as globs of a strategy.

    groups: of scopes, groups, kinds and stages; kinds and stages stand for themselves.
    blocks: of blocks that can be dropped.
    """

    groups: Mapping[str, str]
    blocks: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What the analysis is told of the network, at the most so long, however large the network.

    scopes: those of the largest cost. others: how many more there are, and their share of the cost.
    groups: single ones whose share of the cost and of the worth differ most.
    blocks: those that are worth least for what they cost. more_blocks: how many more there are.
    fixed: share of the metric that no width decides.
    """

    scopes: tuple[Area, ...]
    others: tuple[int, float]
    groups: tuple[Area, ...]
    blocks: tuple[BlockArea, ...]
    more_blocks: int
    fixed: float
    names: Names


def costliest(network: Network, metric: Metric, most: int) -> tuple[str, ...]:
    """Scopes that can be cut, those first whose widths decide most of the cost."""
    costs, _ = _costs(network, metric)
    sums: dict[str, float] = defaultdict(float)
    for group in network.free:
        sums[group.scope] += costs[group.name]
    return tuple(sorted(sums, key=lambda scope: -sums[scope])[:most])


def cheapest_blocks(
    network: Network, metric: Metric, scores: Scores | None, most: int
) -> tuple[str, ...]:
    """Blocks that can be dropped, those first that are worth least for what they cost."""
    return tuple(area.name for area in _block_areas(network, metric, scores, {})[:most])


def profile_of(
    network: Network,
    metric: Metric,
    base: Strategy,
    scores: Scores | None,
    *,
    halves: Mapping[str, float],
    without: Mapping[str, float],
) -> Profile:
    """Profile of a network, by a strategy's floors and multiples and by one importance's scores.

    halves: held-out loss where half of a scope goes. without: where a block is dropped.
    """
    survey = _Survey(network, metric, base, scores)
    ranked = survey.scopes()
    scopes = [
        survey.area(f"S{number}", escape(scope), ranked[scope], halves.get(scope))
        for number, scope in enumerate(list(ranked)[:SCOPES], start=1)
    ]
    rest = list(ranked.values())[SCOPES:]
    blocks = _block_areas(network, metric, scores, without)
    return Profile(
        scopes=tuple(scopes),
        others=(len(rest), sum(survey.cost(groups) for groups in rest)),
        groups=tuple(_telling(survey, {area.glob for area in scopes if area.groups > 1})[:GROUPS]),
        blocks=tuple(blocks[:BLOCKS]),
        more_blocks=len(blocks[BLOCKS:]),
        fixed=survey.fixed,
        names=Names(
            groups=_globs(network, scopes),
            blocks={block.name: escape(block.name) for block in network.blocks},
        ),
    )


class _Survey:
    """What every group of a network costs, is worth, and must keep."""

    def __init__(
        self, network: Network, metric: Metric, base: Strategy, scores: Scores | None
    ) -> None:
        self.network = network
        self.costs, self.fixed = _costs(network, metric)
        self._worths, self._lowers = _worths(scores)
        self._least = allowed_by(base, network).least

    def scopes(self) -> dict[str, list[Group]]:
        """Groups that can be cut by their scopes, the dearest first."""
        found: dict[str, list[Group]] = defaultdict(list)
        for group in self.network.free:
            found[group.scope].append(group)
        return dict(sorted(found.items(), key=lambda item: -self.cost(item[1])))

    def cost(self, groups: Iterable[Group]) -> float:
        """Share of the metric that their widths decide."""
        return sum(self.costs[group.name] for group in groups)

    def area(
        self, name: str, glob: str, groups: Sequence[Group], half: float | None = None
    ) -> Area:
        """Groups in one line."""
        channels = sum(group.width * group.lanes for group in groups)
        scored = [group.name for group in groups if group.name in self._worths]
        own = sum(self._worths[each] for each in scored)
        return Area(
            name=name,
            glob=glob,
            kind=groups[0].kind.value,
            stages=tuple(sorted({group.stage for group in groups if group.stage})),
            groups=len(groups),
            channels=channels,
            cost=self.cost(groups),
            worth=own if scored else None,
            lower=sum(self._lowers[each] for each in scored) / own if own > 0 else None,
            least=sum(self._least[group.name] * group.lanes for group in groups) / channels,
            half=half,
        )


def _telling(survey: _Survey, scopes: Collection[str]) -> list[Area]:
    """Single groups of these scopes, those first whose cost and worth differ most.

    scopes: globs.
    """
    single = (
        survey.area(group.name, escape(group.name), (group,))
        for group in survey.network.free
        if escape(group.scope) in scopes
    )
    found = [area for area in single if area.worth is not None]
    return sorted(found, key=lambda area: (-abs(area.cost - (area.worth or 0.0)), area.name))


def _block_areas(
    network: Network, metric: Metric, scores: Scores | None, without: Mapping[str, float]
) -> list[BlockArea]:
    """All blocks, those first that are worth least for what they cost."""
    worths, _ = _worths(scores)
    model = CostModel(network)
    total = model.cost(metric, network.whole) or 1
    found = []
    for block in network.blocks:
        left = model.cost(metric, {**network.whole, block.name: 0})
        found.append(
            BlockArea(
                name=block.name,
                cost=1 - left / total,
                worth=sum(worths.get(name, 0.0) for name in block.groups) if worths else None,
                gone=without.get(block.name),
            )
        )
    found.sort(key=lambda each: ((each.worth or 0.0) / (each.cost or 1.0), -each.cost, each.name))
    return found


def _globs(network: Network, scopes: Iterable[Area]) -> dict[str, str]:
    globs = {area.name: area.glob for area in scopes}
    for group in network.free:
        globs.setdefault(group.name, escape(group.name))
        globs.setdefault(group.kind.value, group.kind.value)
        if group.stage:
            globs.setdefault(group.stage, escape(group.stage))
    return globs


def _costs(network: Network, metric: Metric) -> tuple[dict[str, float], float]:
    """Share of the metric of every group that can be cut, and what no such width decides."""
    shares = dict.fromkeys((group.name for group in network.free), 0.0)
    fixed, total = 0.0, 0.0
    for term in CostModel(network).terms(metric):
        cost = float(term.coefficient * term.size(network.whole))
        total += cost
        groups = [name for name in term.groups if name in network.by_name]
        free = [name for name in groups if name in shares]
        for name in free:
            shares[name] += cost / len(groups)
        fixed += cost * (1 - len(free) / len(groups)) if groups else cost
    if total <= 0:
        return shares, 0.0
    return {name: share / total for name, share in shares.items()}, fixed / total


def _worths(scores: Scores | None) -> tuple[dict[str, float], dict[str, float]]:
    """Share of all scores of every scored group, and that of the lower halves of its lanes."""
    if scores is None:
        return {}, {}
    # In one order, wherever the scores come from: the same evidence must make the same prompt.
    ordered = {name: scores.values[name] for name in sorted(scores.values)}
    total = float(sum(values.sum() for values in ordered.values())) or 1.0
    worths, lowers = {}, {}
    for name, values in ordered.items():
        worths[name] = float(values.sum()) / total
        lowers[name] = _lower_half(values) / total
    return worths, lowers


def _lower_half(values: FloatArray) -> float:
    half = ceil(values.shape[1] / 2)
    return float(np.sort(values, axis=1)[:, :half].sum())

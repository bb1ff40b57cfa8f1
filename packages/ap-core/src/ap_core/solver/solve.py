"""Solving: strategy, scores, cost model and budget in, a plan out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ap_core.budget import NAMES, Budget, Cap, format_amount
from ap_core.cost import CostModel
from ap_core.errors import OutOfReachError
from ap_core.network import Metric, Network
from ap_core.plan import Plan
from ap_core.report.amounts import counted
from ap_core.scores import Scores
from ap_core.solver.descent import ascend
from ap_core.solver.fill import Neighbourhood, fill, lower
from ap_core.solver.multiplier import Priced, bound, search_prices
from ap_core.solver.options import Allowed, allowed_by
from ap_core.solver.pairs import best_swap, pair_moves
from ap_core.solver.problem import Problem, Variable, head_sums, make_problem
from ap_core.solver.trim import trimmed
from ap_core.solver.values import Rule, Worth, worths
from ap_core.strategy import Strategy

FINER = (1, 2, 4, 8)
"""What the default multiples are divided by, one after the other, until a plan ends in the band."""

SHORT = 0.01
"""Share of all value that a plan that may drop blocks can be short of what is proven to be the
most, before finer multiples are tried."""

TIGHT, TIGHTEST = 5e-4, 5e-5
"""Share of a cap that may be left before more is tried: with multiples, with single channels."""

LOOSE = 0.02
"""Share of a cap that the best plan at a price leaves where it jumps over the cap."""

LOOSEST = Strategy(floor=1e-9, round_to=1)
"""Leaves open every width that a network allows; its blocks stay."""

SACRIFICE = 1e-3
"""Share of all value that is given up, at most, to leave less of the cap."""


def solve(network: Network, scores: Scores, strategy: Strategy, budget: Budget) -> Plan:
    """Plan of the most value that keeps to every cap and ends in the band below the tightest.

    Widths are multiples of what the strategy says; where it leaves that open, the default multiples
    are halved until the band can be met (with blocks to drop: at little less than the best value),
    and one group may be a multiple of less, to use up what is left. Deterministic.
    Raises: OutOfReachError where no plan keeps to the caps, or none ends in the band; UsageError
    for a strategy that names nothing in this network.
    """
    check_reach(network, strategy, budget)
    found: list[Plan] = []
    for finer in _finenesses(strategy):
        allowed = allowed_by(strategy, network, finer=finer)
        if not _keeps_all(network, budget, allowed):
            continue
        plan = within_caps(_solve(network, scores, strategy, budget, allowed), budget)
        found.append(plan)
        # A block is a large step: with finer widths, something else may be worth far more.
        enough = not strategy.depth or (plan.gap or 0.0) <= SHORT
        if enough and _left(budget, plan)[1] <= budget.band:
            return plan
    if not found:
        raise RuntimeError("no multiple keeps to caps that were checked to be in reach")
    in_band = [plan for plan in found if _left(budget, plan)[1] <= budget.band]
    if in_band:
        return max(in_band, key=lambda plan: plan.value)
    nearest = min(found, key=lambda plan: _left(budget, plan)[1])
    raise _missed(network, budget, nearest, strategy)


def reach(network: Network, strategy: Strategy) -> dict[Metric, tuple[int, int]]:
    """Lowest cost that the strategy allows, and that of the whole network, by metric."""
    return _reach(network, allowed_by(strategy, network, finer=_finenesses(strategy)[-1]))


def check_reach(network: Network, strategy: Strategy, budget: Budget) -> None:
    """Compare a budget with what the strategy allows at the least.

    Raises: OutOfReachError with the reachable range; UsageError as `solve`.
    """
    reachable = reach(network, strategy)
    for cap in budget.caps:
        low, whole = reachable[cap.metric]
        if cap.limit < low:
            raise OutOfReachError(
                f"{network.model} cannot be cut to {format_amount(cap.limit, cap.metric, 'down')}",
                hint=f"reachable: from {format_amount(low, cap.metric, 'up')} to below "
                f"{format_amount(whole, cap.metric)}; {_blame(network, strategy, cap)}",
            )


def within_caps(plan: Plan, budget: Budget) -> Plan:
    """The plan as it is. Raises: RuntimeError where it is over a cap: never, but for a bug."""
    for cap in budget.caps:
        over = _cost(plan, cap.metric) - cap.limit
        if over > 0:
            raise RuntimeError(f"the solver's plan is {over} {NAMES[cap.metric]} over its cap")
    return plan


def _finenesses(strategy: Strategy) -> tuple[int, ...]:
    return FINER if strategy.round_to is None else (1,)


def _keeps_all(network: Network, budget: Budget, allowed: Allowed) -> bool:
    reachable = _reach(network, allowed)
    return all(reachable[cap.metric][0] <= cap.limit for cap in budget.caps)


def _solve(
    network: Network,
    scores: Scores,
    strategy: Strategy,
    budget: Budget,
    allowed: Allowed,
) -> Plan:
    worth = worths(network, scores, strategy, budget, allowed.groups)
    smoothing = Rule.of(strategy, additive=scores.additive).smoothing
    problem = make_problem(network, allowed, worth, budget, smoothing=smoothing)
    tight = TIGHTEST if strategy.round_to == 1 else TIGHT
    found, priced = _found(problem, tight)
    if strategy.depth:
        found += _without_drops(problem, tight)
    options = _chosen(problem, found, budget.band, tight)
    plan = _plan(network, problem, options, worth)
    if _left(budget, plan)[1] > 2 * TIGHT:
        found_finer = _trimmed(network, strategy, budget, allowed, worth, smoothing, plan)
        if found_finer is not None:
            plan, problem = found_finer
    return plan if priced is None else bounded(plan, problem, priced)


def _found(problem: Problem, tight: float) -> tuple[list[tuple[int, ...]], Priced | None]:
    """Options to choose from, those that the multiplier leads to, and the prices it found."""
    near = Neighbourhood.of(problem)
    priced = search_prices(problem)
    start = ascend(problem, near) if priced is None else priced.options
    start = _within(problem, start, near)
    found = list(_candidates(problem, start, near, tight))
    if priced is not None and priced.above and _slack(problem, start) > LOOSE:
        lowered = lower(problem, priced.above, near)
        found += [] if lowered is None else _candidates(problem, lowered, near, tight)
    return found, priced


def _without_drops(problem: Problem, tight: float) -> list[tuple[int, ...]]:
    """Options to choose from, where no block goes that may stay; none, where that is too dear."""
    last = [len(each) - 1 if problem.inside[v] else 0 for v, each in enumerate(problem.variables)]
    kept = [
        np.array([last[v]]) if problem.inside[v] else np.arange(len(each))
        for v, each in enumerate(problem.variables)
    ]
    upright = problem.restricted(kept)
    if not upright.allows(tuple(_least(each) for each in upright.variables)):
        return []
    found, _ = _found(upright, tight)
    return [tuple(o + i for o, i in zip(options, last, strict=True)) for options in found]


def _trimmed(
    network: Network,
    strategy: Strategy,
    budget: Budget,
    allowed: Allowed,
    worth: Mapping[str, Worth],
    smoothing: float,
    plan: Plan,
) -> tuple[Plan, Problem] | None:
    """Plan with one group a multiple of less than the default, if that uses up the cap.

    Also: the problem of all the finer options, which the plan's are among.
    """
    for finer in _finenesses(strategy)[1:]:
        choices = allowed_by(strategy, network, finer=finer).groups
        fine = {n: choices[n] if len(c.widths) > 1 else c for n, c in allowed.groups.items()}
        widths, left = trimmed(network, budget, plan.widths, fine)
        if left <= 2 * TIGHT:
            fixed = Allowed(
                groups={n: replace(c, widths=np.array([widths[n]])) for n, c in fine.items()},
                blocks={name: np.array([widths[name]]) for name in allowed.blocks},
            )
            alone = make_problem(network, fixed, worth, budget, smoothing=smoothing)
            found = _plan(network, alone, [0] * len(alone.variables), worth)
            wider = replace(allowed, groups=fine)
            return found, make_problem(network, wider, worth, budget, smoothing=smoothing)
    return None


def bounded(plan: Plan, problem: Problem, priced: Priced) -> Plan:
    """Plan with the bound that prices prove over a problem's options, which the plan's are among.

    The bound allows for rounding. Raises: RuntimeError where the plan is above it even so: never,
    but for a bug.
    """
    top = bound(problem, priced)
    if top is None:
        return plan
    most = problem.share(top)
    if plan.value > most:
        raise RuntimeError(f"the solver's plan is worth {plan.value}, above its bound {most}")
    return replace(plan, bound=most)


def _reach(network: Network, allowed: Allowed) -> dict[Metric, tuple[int, int]]:
    model = CostModel(network)
    return {m: (model.cost(m, allowed.least), model.cost(m, network.whole)) for m in Metric}


def _blame(network: Network, strategy: Strategy, cap: Cap) -> str:
    """What keeps the lowest cost up: settings, and locked groups where no setting would do."""

    def low(strategy: Strategy) -> int:
        return reach(network, strategy)[cap.metric][0]

    causes = []
    locked = len(network.groups) - len(network.free)
    if locked and cap.limit < low(LOOSEST):
        groups = f"{locked} of {counted(len(network.groups), 'group')}"
        causes += [f"{groups} cannot be cut ('ap profile --layers' says why)"]
    if low(strategy.model_copy(update={"floor": LOOSEST.floor})) < low(strategy):
        causes += [f"--floor {strategy.floor:g} keeps that share of every group"]
    causes += ["--keep protects layers"] if strategy.keep else []
    causes += ["fixed widths leave less to choose"] if strategy.widths else []
    if network.blocks and not strategy.depth:
        causes += ["--depth would let blocks be dropped whole"]
    causes += [f"--round-to {strategy.round_to}"] if strategy.round_to else []
    return ", ".join(causes) or "a channel of every group must stay"


def _left(budget: Budget, plan: Plan) -> tuple[Metric, float]:
    """Tightest metric, and the share of its cap that the plan leaves."""
    left = {cap.metric: 1 - _cost(plan, cap.metric) / cap.limit for cap in budget.caps}
    metric = min(left, key=lambda m: left[m])
    return metric, left[metric]


def _cost(plan: Plan, metric: Metric) -> int:
    return plan.macs if metric is Metric.MACS else plan.params


def _missed(network: Network, budget: Budget, nearest: Plan, strategy: Strategy) -> OutOfReachError:
    metric, left = _left(budget, nearest)
    finest = strategy.round_to in (None, 1)
    remedy = "a lower --floor, fewer --keep" if finest else "--round-to 1, a lower --floor"
    return OutOfReachError(
        f"the nearest plan for {network.model} ends at "
        f"{format_amount(_cost(nearest, metric), metric)}, "
        f"{left:.2%} below the target; the band is {budget.band:.2%}",
        hint=f"take {remedy}, or --band {left * 1.01:.1%}",
    )


def _chosen(
    problem: Problem, found: Sequence[tuple[int, ...]], band: float, tight: float
) -> tuple[int, ...]:
    """Options within the caps of most value in the band; tight ones, if worth about as much."""
    found = [options for options in found if problem.allows(options)]
    slacks = [_slack(problem, options) for options in found]
    in_band = [o for o, slack in zip(found, slacks, strict=True) if slack <= band] or found
    best = max(in_band, key=problem.value)
    least = problem.value(best) - SACRIFICE * problem.total
    full = [o for o, slack in zip(found, slacks, strict=True) if slack <= 2 * tight]
    return max((o for o in full if problem.value(o) >= least), key=problem.value, default=best)


def _within(problem: Problem, options: Sequence[int], near: Neighbourhood) -> tuple[int, ...]:
    """Options that keep to the caps: the given ones, or the least of all variables filled up."""
    if problem.allows(options):
        return tuple(options)
    return fill(problem, tuple(_least(v) for v in problem.variables), near)


def _least(variable: Variable) -> int:
    return int(np.argmin(variable.widths.prod(axis=1)))


def _candidates(
    problem: Problem, start: tuple[int, ...], near: Neighbourhood, tight: float
) -> Iterator[tuple[int, ...]]:
    """Filled plans: of the start; if much is left, of its neighbours, and with pairs moved."""
    best = fill(problem, start, near)
    yield best
    if _slack(problem, best) <= tight:
        return
    coupled = sorted(range(len(problem.variables)), key=lambda v: (-len(near.rivals[v]), v))[:6]
    for v in coupled:
        for step in (-1, 1, -2):
            option = best[v] + step
            if not 0 <= option < len(problem.variables[v]):
                continue
            moved = (*best[:v], option, *best[v + 1 :])
            lowered = _lowered(problem, moved, near)
            if lowered is not None:
                yield fill(problem, lowered, near)
    for moved in pair_moves(problem, best, near, tight):
        yield fill(problem, moved, near)
    for enough in (tight, 2 * tight):
        swapped = best_swap(problem, best, near, enough)
        if swapped is not None:
            yield swapped


def _lowered(
    problem: Problem, options: tuple[int, ...], near: Neighbourhood
) -> tuple[int, ...] | None:
    """Options with the least coupled variables stepped down until the caps are kept."""
    result = list(options)
    order = sorted(
        (v for v, each in enumerate(problem.variables) if len(each) > 1),
        key=lambda v: (len(near.rivals[v]), v),
    )
    for _ in range(8):
        for v in order:
            if problem.allows(result):
                return tuple(result)
            if result[v] > 0 and not problem.inside[v]:
                result[v] -= 1
    return tuple(result) if problem.allows(result) else None


def _slack(problem: Problem, options: Sequence[int]) -> float:
    """Share of the tightest cap that is left."""
    return float((1 - problem.costs(options) / problem.limits).min())


def _plan(
    network: Network, problem: Problem, options: Sequence[int], worth: Mapping[str, Worth]
) -> Plan:
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

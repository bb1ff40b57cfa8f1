"""Solving: strategy, scores, cost model and budget in, a plan out."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ap_core.budget import UNIT_NAMES, Budget
from ap_core.network import Metric, Network
from ap_core.plan import Plan
from ap_core.scores import Scores
from ap_core.solver.candidates import TIGHT, TIGHTEST, candidates, chosen, without_drops
from ap_core.solver.channels import plan_of
from ap_core.solver.multiplier import Priced, bound
from ap_core.solver.options import Allowed, allowed_by, finenesses
from ap_core.solver.problem import Problem, make_problem
from ap_core.solver.reach import check_reach, keeps_all, left_of, missed
from ap_core.solver.trim import trimmed
from ap_core.solver.values import Rule, Worth, worths
from ap_core.strategy import Strategy

SHORT = 0.01
"""Share of all value that a plan that may drop blocks can be short of what is proven to be the
most, before finer multiples are tried."""

NEAR = 0.015
"""Share of a capped latency that a plan may leave before finer multiples are tried: those are slow,
and no latency is known better than so."""


def solve(network: Network, scores: Scores, strategy: Strategy, budget: Budget) -> Plan:
    """Plan of the most value that keeps to every cap and ends in the band below the tightest.

    Widths are multiples of what the strategy says; where it leaves that open, the default multiples
    are halved until the band can be met (with blocks to drop: at little less than the best value),
    and one group may be a multiple of less, to use up what is left. Deterministic.
    Raises: OutOfReachError where no plan keeps to the caps, or none ends in the band of a count;
    UsageError for a strategy that names nothing in this network.
    """
    check_reach(network, strategy, budget)
    found: list[Plan] = []
    for finer in finenesses(strategy):
        allowed = allowed_by(strategy, network, finer=finer)
        if not keeps_all(network, budget, allowed):
            continue
        plan = within_caps(_solve(network, scores, strategy, budget, allowed), budget)
        found.append(plan)
        # A block is a large step: with finer widths, something else may be worth far more.
        enough = not strategy.depth or (plan.gap or 0.0) <= SHORT
        metric, left = left_of(budget, plan)
        if enough and left <= (NEAR if metric is Metric.LATENCY else budget.band):
            return plan
    if not found:
        raise RuntimeError("no multiple keeps to caps that were checked to be in reach")
    if in_band := [plan for plan in found if _is_in_band(plan, budget)]:
        return max(in_band, key=lambda plan: plan.value)
    nearest = min(found, key=lambda plan: left_of(budget, plan)[1])
    raise missed(network, budget, nearest, strategy)


def _is_in_band(plan: Plan, budget: Budget) -> bool:
    metric, left = left_of(budget, plan)
    return left <= budget.band_of(metric)


def within_caps(plan: Plan, budget: Budget) -> Plan:
    """The plan as it is. Raises: RuntimeError where it is over a cap: never, but for a bug."""
    for cap in budget.caps:
        over = plan.cost(cap.metric) - cap.limit
        if over > 0:
            unit = UNIT_NAMES[cap.metric]
            raise RuntimeError(f"the solver's plan is {over} {unit} over its cap")
    return plan


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
    found, priced = candidates(problem, tight)
    if strategy.depth:
        found += without_drops(problem, tight)
    bands = np.array([budget.band_of(cap.metric) for cap in budget.caps])
    options = chosen(problem, found, bands, tight)
    plan = plan_of(network, problem, options, worth)
    metric, left = left_of(budget, plan)
    # Of a latency, which no counter finds, the last per mille is not worth an odd width.
    if metric is not Metric.LATENCY and left > 2 * TIGHT:
        found_finer = _trimmed(network, strategy, budget, allowed, worth, smoothing, plan)
        if found_finer is not None:
            plan, problem = found_finer
    return plan if priced is None else bounded(plan, problem, priced)


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
    for finer in finenesses(strategy)[1:]:
        choices = allowed_by(strategy, network, finer=finer).groups
        fine = {n: choices[n] if len(c.widths) > 1 else c for n, c in allowed.groups.items()}
        widths, left = trimmed(network, budget, plan.widths, fine)
        if left <= 2 * TIGHT:
            fixed = Allowed(
                groups={n: replace(c, widths=np.array([widths[n]])) for n, c in fine.items()},
                blocks={name: np.array([widths[name]]) for name in allowed.blocks},
            )
            alone = make_problem(network, fixed, worth, budget, smoothing=smoothing)
            found = plan_of(network, alone, [0] * len(alone.variables), worth)
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

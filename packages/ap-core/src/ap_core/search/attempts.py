"""Trials of strategies: solved, and judged unless the same plan was judged before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from ap_core.errors import ApError, ModelError, RunError
from ap_core.plan import Plan, digest, kept_shares
from ap_core.search.proposals import UnusableError
from ap_core.search.trial import Evidence, Trial
from ap_core.strategy import Strategy

Solve = Callable[[Strategy], Plan]
"""Plan within the budget; raises ApError: out of reach, no sense, no scores by that importance."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What was measured of a plan.

    retained: kept share of the value by the base strategy's values, the yardstick for all plans;
        None where the cut network could not be measured.
    loss, accuracy: on held-out data; None where there is none.
    """

    retained: float | None
    loss: float | None = None
    accuracy: float | None = None


Judge = Callable[[Plan], Quality]
"""What a plan is worth; raises ModelError where the cut network cannot be measured."""


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Makes trials of strategies; a plan that was judged before is not judged again."""

    name: str
    solve: Solve
    judge: Judge
    clock: Callable[[], float]

    def make(self, strategy: Strategy, evidence: Evidence) -> tuple[Trial, Plan | None]:
        """Trial of a strategy, and its plan unless an earlier trial had the very strategy.

        Raises: UnusableError where it has no plan, but the base strategy's error as it is, and
        RunError where the run cannot be written.
        """
        start = self.clock()
        number = len(evidence.trials)
        twin = _first(evidence.trials, lambda trial: _key(trial.strategy) == _key(strategy))
        if twin is not None:
            trial = replace(
                twin,
                number=number,
                strategist=self.name,
                strategy=strategy,
                same_as=_origin(twin),
                failure="",
                seconds=self.clock() - start,
            )
            return trial, None
        plan = self._solved(strategy, evidence.base)
        stays = digest(plan)
        twin = _first(evidence.trials, lambda trial: trial.plan == stays)
        quality, note = self._judged(plan) if twin is None else _measured(twin)
        trial = Trial(
            number=number,
            strategist=self.name,
            strategy=strategy,
            plan=stays,
            macs=plan.macs,
            params=plan.params,
            value=plan.value,
            bound=plan.bound,
            retained=quality.retained,
            loss=quality.loss,
            accuracy=quality.accuracy,
            latency=plan.latency or None,
            missed=_missed(plan, evidence),
            kept=kept_shares(evidence.network, plan.widths),
            seconds=self.clock() - start,
            same_as=None if twin is None else _origin(twin),
            note=note,
        )
        return trial, plan

    def _solved(self, strategy: Strategy, base: Strategy) -> Plan:
        try:
            return self.solve(strategy)
        except RunError:
            raise
        except ApError as error:
            if _key(strategy) == _key(base):
                raise
            raise UnusableError(f"proposed what has no plan: {error.message}") from error

    def _judged(self, plan: Plan) -> tuple[Quality, str]:
        try:
            quality = self.judge(plan)
        except ModelError as error:
            return Quality(retained=None), f"it could not be judged: {error.message}"
        if quality.loss is None or isfinite(quality.loss):
            return quality, ""
        note = f"the held-out loss was {quality.loss}"
        return replace(quality, loss=None, accuracy=None), note


def _missed(plan: Plan, evidence: Evidence) -> float:
    """How far the plan is outside the tolerance, the worst of all caps."""
    if evidence.tolerance is None:
        return 0.0
    caps = evidence.budget.caps
    return max(evidence.tolerance.missed(cap.limit, plan.cost(cap.metric)) for cap in caps)


def _measured(trial: Trial) -> tuple[Quality, str]:
    retained = trial.value if trial.retained is None else trial.retained
    return Quality(retained=retained, loss=trial.loss, accuracy=trial.accuracy), trial.note


def _first(trials: Sequence[Trial], wanted: Callable[[Trial], bool]) -> Trial | None:
    return next(filter(wanted, trials), None)


def _origin(trial: Trial) -> int:
    return trial.number if trial.same_as is None else trial.same_as


def _key(strategy: Strategy) -> str:
    """What decides the plan; the order of globs does, the rationale does not."""
    return strategy.model_dump_json(exclude={"rationale"})

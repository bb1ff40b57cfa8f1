"""How the strategies of a session are solved, and its plans judged, once for every run of it."""

import time
from functools import partial

from ap_core.budget import Budget
from ap_core.network import Metric, Network
from ap_core.pipeline.opening.session import Session
from ap_core.pipeline.quality import measure_with, recover
from ap_core.pipeline.searching.timed import TimedSolver
from ap_core.plan import Plan
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import TimedPlanRecord
from ap_core.scores import Scores
from ap_core.search.attempts import Attempts, Judge, Quality, Solve
from ap_core.solver import raw_plan, retained_value, solve
from ap_core.strategy import Strategy


def scores_of(session: Session, strategy: Strategy, run: RunDirectory | None) -> Scores:
    """Scores that a strategy cuts by, kept in the run. Raises: as `ScoreBook.scores`."""
    with session.watch.stage("score"):
        return session.book.scores(strategy.importance, strategy.reduction, run)


def solver_of(session: Session, budget: Budget, run: RunDirectory | None) -> Solve:
    """Function that makes the plan of a strategy, within the budget unless strategies are raw."""

    def solve_for(network: Network, strategy: Strategy) -> Plan:
        scores = scores_of(session, strategy, run)
        with session.watch.stage("solve"):
            if session.options.raw:
                return raw_plan(network, scores, strategy)
            return solve(network, scores, strategy, budget)

    timed = session.timed
    if timed is None or Metric.LATENCY not in {cap.metric for cap in budget.caps}:
        return partial(solve_for, session.network)

    def share(plan: Plan, band: tuple[float, float]) -> float:
        with session.watch.stage("time"):
            return 1 / timed.faster(timed.cut(plan), band=band).value

    return TimedSolver(
        network=session.network,
        budget=budget,
        solve=solve_for,
        share=share,
        entries=list(run.timed()) if run else [],
        record=run.append_timed if run else _kept_nowhere,
    )


def _kept_nowhere(_entry: TimedPlanRecord) -> None:
    """What a dry run times is not kept."""


def judge_of(session: Session, run: RunDirectory | None) -> Judge:
    """Function that measures a plan: on held-out images where there are any."""

    def judged(plan: Plan) -> Quality:
        scores = scores_of(session, session.base, run)
        with session.watch.stage("judge"):
            retained = retained_value(session.network, scores, session.base, plan)
            if session.data is None:
                return Quality(retained=retained)
            cut = session.subject.adapter.copy(session.subject.loaded.module)
            session.subject.adapter.cut(cut, session.tracing, plan)
            recover(session.registry, session.options.recoveries, cut, session.data, None)
            size = session.network.input_size
            found = measure_with(session.registry, session.data, size, report=False)(cut)
        return Quality(retained=retained, loss=found.loss, accuracy=found.top1)

    return judged


def attempts_of(
    session: Session, budget: Budget, run: RunDirectory | None, *, name: str
) -> Attempts:
    """Maker of single trials. name: of the strategist, for its trials."""
    return Attempts(
        name=name,
        solve=solver_of(session, budget, run),
        judge=judge_of(session, run),
        clock=time.perf_counter,
    )

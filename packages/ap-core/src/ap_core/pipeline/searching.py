"""The search of one run: its strategist, its solver over the session's scores, its judge."""

import time
from collections.abc import Callable

from ap_core.budget import Budget
from ap_core.pipeline.quality import measure_with, recover
from ap_core.pipeline.session import Session
from ap_core.plan import Plan
from ap_core.runs.directory import RunDirectory
from ap_core.search.loop import Outcome, Quality, search
from ap_core.search.trial import Evidence, Trial
from ap_core.solver import retained_value, solve
from ap_core.strategy import Strategy


def find_plan(session: Session, budget: Budget, run: RunDirectory | None) -> Outcome:
    """Best plan within the budget; trials of the run, if there are any, are not made again.

    run: None for a dry run, which keeps nothing.
    Raises: OutOfReachError, UsageError, DataError.
    """
    options = session.options
    offer = session.registry.strategists[options.strategist]
    allowance = options.trials or offer.trials
    evidence = Evidence(
        network=session.network,
        budget=budget,
        base=session.base,
        importances=tuple(sorted({*session.book.names, session.base.importance})),
        trials=run.trials() if run else (),
        seed=options.seed,
    )
    with (
        session.watch.stage("search"),
        session.progress.progress(allowance, f"searching ({offer.name})") as advance,
    ):
        advance(len(evidence.trials))
        return search(
            evidence,
            offer.make(),
            name=offer.name,
            solve=lambda strategy: _solve(session, strategy, budget, run),
            judge=lambda plan: _judge(session, plan, run),
            allowance=allowance,
            record=_recorder(run, advance),
            warn=lambda text: session.progress.warn(text),
            clock=time.perf_counter,
        )


def _recorder(run: RunDirectory | None, advance: Callable[[int], None]) -> Callable[[Trial], None]:
    def record(trial: Trial) -> None:
        if run is not None:
            run.append_trial(trial)
        advance(1)

    return record


def _solve(session: Session, strategy: Strategy, budget: Budget, run: RunDirectory | None) -> Plan:
    with session.watch.stage("score"):
        scores = session.book.scores(strategy.importance, strategy.reduction, run)
    with session.watch.stage("solve"):
        return solve(session.network, scores, strategy, budget)


def _judge(session: Session, plan: Plan, run: RunDirectory | None) -> Quality:
    base = session.base
    scores = session.book.scores(base.importance, base.reduction, run)
    retained = retained_value(session.network, scores, base, plan)
    if session.data is None:
        return Quality(retained=retained)
    with session.watch.stage("judge"):
        cut = session.subject.adapter.copy(session.subject.loaded.module)
        session.subject.adapter.cut(cut, session.tracing, plan)
        recover(session.registry, session.options.recoveries, cut, session.data, None)
        size = session.network.input_size
        found = measure_with(session.registry, session.data, size, report=False)(cut)
    return Quality(retained=retained, loss=found.loss, accuracy=found.top1)

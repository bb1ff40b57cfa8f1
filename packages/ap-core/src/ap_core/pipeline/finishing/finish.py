"""Finishing a run: from the plan that was found to a verified network, its record, its report."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.budget import Budget
from ap_core.errors import ApError
from ap_core.network import Network
from ap_core.pipeline.finishing.apply import apply_plan
from ap_core.pipeline.finishing.recording import finished, write_report
from ap_core.pipeline.opening.reload import load_model
from ap_core.pipeline.opening.session import Session
from ap_core.pipeline.opening.subject import made_by_function
from ap_core.plan import Plan
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import REPORT, RunDirectory
from ap_core.runs.records import LlmRecord, RunRecord
from ap_core.search.loop import Outcome
from ap_core.search.trial import Trial

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What one target came to.

    seconds: by stage.
    module: the pruned network as reloaded from disk; None after a dry run.
    path: of the run directory; None after a dry run.
    """

    network: Network
    budget: Budget
    plan: Plan
    trials: tuple[Trial, ...]
    record: RunRecord
    seconds: Mapping[str, float]
    module: "Module | None" = None
    path: Path | None = None


def finish(
    session: Session, run: RunDirectory, find: Callable[[], tuple[Outcome, LlmRecord | None]]
) -> Pruned:
    """Find a plan, apply it, report; a failure is kept in the run before it goes up.

    find: gives the outcome of the search, and what asking an LLM took.
    """
    with at_work(session, run) as record:
        outcome, llm = find()
        run.write_plan(outcome.plan)
        applied = apply_plan(session, outcome.plan, run)
        record = finished(session, record, outcome, applied, llm)
    run.write_record(record)
    write_report(run)
    return Pruned(
        network=session.network,
        budget=record.budget.to_budget(),
        plan=outcome.plan,
        trials=outcome.trials,
        record=record,
        seconds=session.watch.seconds,
        module=applied.module,
        path=run.path,
    )


@contextmanager
def at_work(session: Session, run: RunDirectory) -> Iterator[RunRecord]:
    """Record of a run that is worked on; an expected error is kept in it before it goes up."""
    record = run.record().model_copy(update={"status": "running", "failure": ""})
    run.write_record(record)
    run.write_network(session.network)
    try:
        yield record
    except ApError as error:
        run.write_record(record.model_copy(update={"status": "failed", "failure": error.message}))
        raise


def done(run: RunDirectory, record: RunRecord, registry: Registry) -> Pruned:
    """What a finished run came to; a report that a kill prevented is written now."""
    if not (run.path / REPORT).exists():
        write_report(run)
    rebuilt = None
    if not made_by_function(record.architecture.name):
        rebuilt = load_model(run.path, registry=registry)
    return Pruned(
        network=run.network(),
        budget=record.budget.to_budget(),
        plan=run.plan(),
        trials=run.trials(),
        record=record,
        seconds=record.result.seconds if record.result else {},
        module=rebuilt,
        path=run.path,
    )

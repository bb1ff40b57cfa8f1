"""What a run keeps of itself: its record at the start and at the end, and its report."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ap_core.budget import Budget
from ap_core.pipeline.environment import environment
from ap_core.pipeline.finishing.apply import Applied
from ap_core.pipeline.opening.session import Session
from ap_core.plan import dropped_blocks
from ap_core.runs.directory import REPORT, RunDirectory
from ap_core.runs.files import write
from ap_core.runs.records import (
    ArchitectureRecord,
    BudgetRecord,
    LlmRecord,
    ResultRecord,
    RunRecord,
    SurgeryRecord,
    WeightsRecord,
)
from ap_core.search.loop import Outcome

COMPARISON = "index.html"


def started(session: Session, budget: Budget, command: Sequence[str]) -> RunRecord:
    """Record of a run that has just begun."""
    options, loaded = session.options, session.subject.loaded
    return RunRecord(
        status="running",
        version=version("ap-core"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=tuple(command),
        options=options.model_dump(mode="json"),
        model=options.model,
        architecture=ArchitectureRecord.model_validate(asdict(loaded.architecture)),
        weights=WeightsRecord(
            origin=loaded.origin.value,
            sha256=loaded.weights_sha256,
            checkpoint=str(options.checkpoint.resolve()) if options.checkpoint else "",
            warnings=loaded.warnings,
        ),
        budget=BudgetRecord.of(budget),
        seed=options.seed,
        data=dict(session.data.record()) if session.data else None,
        environment=environment(),
        timed_on=dict(session.timed.about) if session.timed else {},
    )


def finished(
    session: Session,
    record: RunRecord,
    outcome: Outcome,
    applied: Applied,
    llm: LlmRecord | None,
) -> RunRecord:
    """Record of a run that is done."""
    network, best = session.network, outcome.best
    result = ResultRecord(
        macs=outcome.plan.macs,
        params=outcome.plan.params,
        base_macs=session.cost.macs(network.whole),
        base_params=session.cost.params(network.whole),
        counters=applied.counters,
        base_counters=dict(network.counters),
        strategist=best.strategist,
        importance=best.strategy.importance,
        trials=len(outcome.trials),
        best_trial=best.number,
        value=outcome.plan.value,
        bound=outcome.plan.bound,
        dropped=tuple(block.name for block in dropped_blocks(network, outcome.plan)),
        difference=applied.difference,
        baseline=applied.baseline,
        quality=applied.quality,
        recoveries=applied.recoveries,
        latency=applied.latency,
        llm=llm,
        seconds=dict(session.watch.seconds),
    )
    surgery = SurgeryRecord(
        attributes={path: dict(values) for path, values in applied.surgery.attributes.items()},
        replaced=dict(applied.surgery.replaced),
    )
    return record.model_copy(
        update={"status": "done", "failure": "", "surgery": surgery, "result": result}
    )


def write_report(run: RunDirectory) -> None:
    """Write the run's report. Raises: RunError."""
    from ap_core.report.html import render_report

    with run.writing(REPORT) as path:
        path.write_text(render_report(run), encoding="utf-8")


def write_comparison(runs: Sequence[Path], home: Path) -> None:
    """Write the page that compares several runs, into the directory that holds them.

    Raises: RunError.
    """
    from ap_core.report.html import render_targets

    page = render_targets([RunDirectory.open(path) for path in runs], beside=home)
    write(home / COMPARISON, page.encode())

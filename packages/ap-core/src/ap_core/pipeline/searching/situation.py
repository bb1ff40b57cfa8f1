"""Where a driven search stands, read from its run alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ap_core.agents.briefing import Briefing, analysis_briefing
from ap_core.agents.master import Decision, decide
from ap_core.agents.reply import schema_of
from ap_core.errors import RunError
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.searching.evidence import kept_evidence
from ap_core.plugins.registry import Registry
from ap_core.report.commands import command as spelt
from ap_core.report.commands import go_on
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import RunRecord
from ap_core.search.loop import converged
from ap_core.search.trial import Evidence, Trial, best_of

TRIALS = 12
"""Trials of a driven search where no number is given: as many as the agents make."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Where a driven search stands, and what its driver is told of it.

    finished: whether its best plan was cut.
    decision: what the master agent says of the next trial; "stop" is its advice, no more.
    briefing: what the analysis agent would be sent.
    schema: JSON schema of a proposal.
    """

    path: Path
    finished: bool
    evidence: Evidence
    decision: Decision
    briefing: Briefing
    schema: Mapping[str, object]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials so far, the first of the base strategy."""
        return self.evidence.trials

    @property
    def best(self) -> Trial:
        """The trial that `finish` would take."""
        return best_of(self.evidence.trials)

    @property
    def left(self) -> int:
        """Trials that may still be made."""
        return self.evidence.left or 0

    @property
    def over(self) -> str:
        """Why no further trial may be made; "" where one may."""
        if self.finished:
            return f"the run {self.path} is finished"
        if not self.left:
            return f"no trial is left: {len(self.trials)} were made"
        if converged(self.evidence):
            return f"the search has ended: trial {self.best.number} is within the tolerance"
        return ""


def situation_of(run: RunDirectory, record: RunRecord, registry: Registry) -> Situation:
    """Situation that a run keeps: neither its network nor its images are loaded.

    Raises: RunError where its start was stopped.
    """
    evidence = _evidence(run, record, registry)
    decision = decide(evidence.trials)
    return Situation(
        path=run.path,
        finished=record.status == "done",
        evidence=evidence,
        decision=decision,
        briefing=analysis_briefing(evidence, decision),
        schema=schema_of(evidence.importances),
    )


def _evidence(run: RunDirectory, record: RunRecord, registry: Registry) -> Evidence:
    """Evidence that the run keeps. Raises: RunError where its start was stopped."""
    if not run.trials():
        raise RunError(
            f"the start of {run.path} was stopped: there is no trial yet",
            hint=f"go on with: {spelt('drive', 'start', '--resume', str(run.path))}",
        )
    evidence = kept_evidence(run, record, registry)
    return replace(evidence, left=max(0, allowance_of(record) - len(evidence.trials)))


def allowance_of(record: RunRecord) -> int:
    """Trials that a driven search may make."""
    return PruneOptions.parse(record.options).trials or TRIALS


def driven(run: RunDirectory) -> RunRecord:
    """Record of a run that is driven. Raises: RunError."""
    record = run.record()
    if not record.driven:
        ended = record.status == "done"
        raise RunError(
            f"the run {run.path} was not started with 'ap drive'",
            hint="" if ended else f"go on with: {go_on(run.path)}",
        )
    return record

"""What a report is made of: the documents of a run, whoever holds them."""

from pathlib import Path
from typing import Protocol

from ap_core.network import Network
from ap_core.plan import Plan
from ap_core.runs.records import DecisionRecord, RunRecord, TrainingRecord
from ap_core.search.trial import Trial


class Documents(Protocol):
    """Documents of one run; `ap_core.runs.directory.RunDirectory` is one."""

    @property
    def path(self) -> Path:
        """Where the run is."""

    def record(self) -> RunRecord:
        """What was asked, and what came out."""

    def network(self) -> Network:
        """Groups and costs of the whole network."""

    def plan(self) -> Plan:
        """The plan that was applied; asked for of finished runs only."""

    def training(self) -> TrainingRecord | None:
        """How the network was trained again; None where it was not."""

    def trials(self) -> tuple[Trial, ...]:
        """Trials so far."""

    def decisions(self) -> tuple[DecisionRecord, ...]:
        """What was decided before trials; none where nothing decides."""

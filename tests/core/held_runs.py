"""Documents of runs that are in no directory."""

from dataclasses import dataclass
from pathlib import Path

from run_samples import NETWORK, PLAN

from ap_core.network import Network
from ap_core.plan import Plan
from ap_core.runs.records import DecisionRecord, RunRecord, TrainingRecord
from ap_core.search.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a report is made of, as values."""

    held: RunRecord
    path: Path = Path("runs/one")
    whole: Network = NETWORK
    cut: Plan = PLAN
    trained: TrainingRecord | None = None
    tried: tuple[Trial, ...] = ()
    decided: tuple[DecisionRecord, ...] = ()

    def record(self):
        return self.held

    def network(self):
        return self.whole

    def plan(self):
        return self.cut

    def training(self):
        return self.trained

    def trials(self):
        return self.tried

    def decisions(self):
        return self.decided

"""What is kept of a cell; pydantic, since it comes back from disk."""

from typing import Literal

from pydantic import Field

from ap_core.runs.records import LlmRecord, QualityRecord, Record


class CellRecord(Record):
    """What one cell came to.

    run: its run directory, below the comparison's.
    status: "done"; "missed" where strategies are applied as they are and none came within the
        tolerance; "failed" where it could not be brought to an end, for the reason in `failure`.
    within: whether the result is within the band of the budget, or within the tolerance.
    weights: where they came from.
    limit, macs: MACs of the budget, and of the network that came out (else of the nearest trial).
    missed: how far those are outside, as a share of the limit; 0 within.
    trials_to_band: trials until the first that was within; None where none was.
    stand_ins: trials in which the built-in strategist stood in for a proposal of no use.
    held_out_loss, held_out_top1, retained: of the best trial, on the images that judge trials.
    baseline, quality: of the uncut network and of the one that came out, on the images that report.
    llm: what asking took; None where nobody is asked.
    search_seconds: of all trials and calls, those before a kill with them.
    seconds: by stage, as the run kept them: since it was last gone on with.
    history: after each trial, the held-out loss of the best within the band; None where none was.
    """

    model: str
    target: str
    seed: int
    contender: str
    run: str
    status: Literal["done", "missed", "failed"]
    failure: str = ""
    within: bool = False
    weights: str = ""
    limit: int | None = None
    macs: int | None = None
    missed: float | None = None
    trials: int = 0
    trials_to_band: int | None = None
    stand_ins: int = 0
    held_out_loss: float | None = None
    held_out_top1: float | None = None
    retained: float | None = None
    baseline: QualityRecord | None = None
    quality: QualityRecord | None = None
    llm: LlmRecord | None = None
    search_seconds: float | None = None
    seconds: dict[str, float] = Field(default_factory=dict)
    history: tuple[float | None, ...] = ()

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from all others."""
        return self.model, self.target, self.seed, self.contender

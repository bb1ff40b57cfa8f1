"""What commands show of trials."""

from ap_core.console import Cell
from ap_core.report.amounts import time_taken
from ap_core.search.trial import Trial

TRIALS = (
    "trial", "strategist", "importance", "MACs", "params", "retained", "loss", "top-1", "seconds",
    "",
)  # fmt: skip

SPARE = ("params", "seconds", "MACs")
"""Columns that tell least: all trials keep to one budget."""

YARDSTICK = "Trials; retained: of the value, by the base strategy's values"


def trial_row(trial: Trial, *, best: bool) -> tuple[Cell, ...]:
    """One row of a table of trials. best: whether it is the best so far."""
    remarks = [
        "best" if best else "",
        f"same plan as trial {trial.same_as}" if trial.same_as is not None else "",
        f"misses the budget by {100 * trial.missed:.1f} %" if trial.missed else "",
        f"takes {time_taken(trial.latency)}" if trial.latency is not None else "",
        trial.failure,
        trial.note,
    ]
    return (
        trial.number,
        trial.strategist,
        trial.strategy.importance,
        trial.macs,
        trial.params,
        trial.value if trial.retained is None else trial.retained,
        trial.loss,
        trial.accuracy,
        trial.seconds,
        "; ".join(filter(None, remarks)),
    )

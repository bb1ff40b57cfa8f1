"""What the user asks `eval` for."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from ap_core.contracts import WeightsPolicy
from ap_core.errors import UsageError
from ap_train.runs.options import ImageOptions

OF_MODELS = ("checkpoint", "weights", "num_classes", "input_size", "seed")
"""Options that a run answers itself."""

OF_RUNS = ("pruned_only",)
"""Options that only a run can answer."""


class EvalOptions(ImageOptions):
    """What to measure with, and beside what. None stands for the run's own, or the model's.

    baseline: a model, a run directory, or "none"; None for a run's uncut network.
    baseline_checkpoint: weights of a baseline that is a model; None for its published ones.
    split: "held_out" images are those that a search, or a training, chose on.
    batch_size: images in one pass of one process. workers: that read images; None for enough.
    input_size: (channels, height, width).
    seed: of random weights, and of the splits.
    pruned_only: whether to take a run's weights as they were before its network was trained again.
    """

    split: Literal["report", "held_out"] = "report"
    batch_size: int = Field(default=64, ge=1)
    workers: int | None = Field(default=None, ge=0)
    baseline: str | None = None
    baseline_checkpoint: Path | None = None
    checkpoint: Path | None = None
    weights: WeightsPolicy | None = None
    num_classes: int | None = Field(default=None, ge=1)
    input_size: tuple[int, int, int] | None = None
    seed: int | None = Field(default=None, ge=0)
    pruned_only: bool = False

    def refuse(self, names: tuple[str, ...], reason: str) -> None:
        """Refuse options that make no sense here. Raises: UsageError naming the first given."""
        for name in names:
            value = getattr(self, name)
            if value is not None and value is not False:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} cannot be given: {reason}", hint="leave it out")

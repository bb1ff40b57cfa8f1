"""What the user asks `export` for."""

from pathlib import Path

from pydantic import Field

from ap_core.contracts import Precision, WeightsPolicy
from ap_core.errors import UsageError
from ap_core.runs.records import Record

OF_MODELS = ("checkpoint", "weights", "num_classes", "seed")
"""Options that a run, or a network that is there already, answers itself."""


class ExportOptions(Record):
    """What to write, and how. None stands for the run's own, the model's, or the format's.

    to: name of the format, as `ap plugins` lists the exporters.
    opset: of ONNX's operators. dtype: of weights, images and logits.
    batch_size: images in every pass; None for a file that takes any number.
    checkpoint, weights, num_classes, input_size, seed: of a model, as for `prune`.
    """

    to: str = "onnx"
    opset: int | None = None
    dtype: Precision = Precision.FP32
    batch_size: int | None = Field(default=None, ge=1)
    checkpoint: Path | None = None
    weights: WeightsPolicy | None = None
    num_classes: int | None = Field(default=None, ge=1)
    input_size: tuple[int, int, int] | None = None
    seed: int | None = Field(default=None, ge=0)

    def refuse(self, names: tuple[str, ...], reason: str) -> None:
        """Refuse options that make no sense here. Raises: UsageError naming the first given."""
        for name in names:
            if getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} cannot be given: {reason}", hint="leave it out")

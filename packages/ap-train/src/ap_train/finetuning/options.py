"""What the user asks `finetune` for, in one value that the run keeps."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from ap_core.contracts import Architecture, DataRequest
from ap_core.errors import UsageError
from ap_core.runs.records import Record, RunRecord
from ap_train.training.options import TrainOptions

NOBODY = "none"


class FinetuneOptions(Record):
    """Everything that a training depends on, besides the run, the weights and the images.

    data, data_root, held_out, on_corrupt: None for what the run was pruned with.
    teacher: a model, a run directory, or "none"; None for the uncut network where it is trained.
    teacher_checkpoint: weights of a named model; None for its published ones.
    from_scratch: whether to train although the weights are random.
    """

    training: TrainOptions = TrainOptions()
    data: str | None = None
    data_root: Path | None = None
    held_out: int | None = Field(default=None, ge=1)
    on_corrupt: Literal["refuse", "skip"] | None = None
    teacher: str | None = None
    teacher_checkpoint: Path | None = None
    from_scratch: bool = False


def images_asked_for(record: RunRecord, options: FinetuneOptions) -> DataRequest:
    """Images to train on: those of the run, but for what is asked for.

    Raises: UsageError where neither names any.
    """
    before = record.options
    name = options.data or before.get("data")
    if not name:
        raise UsageError(
            "no images to train on: the run was pruned without any", hint="give some with --data"
        )
    same = name == before.get("data")
    root = options.data_root or (before.get("data_root") if same else None)
    batch, batches = before["batch_size"], before["calibration_batches"]
    held_out = options.held_out or before.get("held_out")
    assert isinstance(batch, int)
    assert isinstance(batches, int)
    return DataRequest(
        name=str(name),
        root=None if root is None else Path(str(root)),
        architecture=architecture_of(record),
        batch_size=batch,
        calibration=batch * batches,
        held_out=held_out if isinstance(held_out, int) else None,
        seed=record.seed,
        on_corrupt=options.on_corrupt or str(before.get("on_corrupt", "refuse")),
    )


def architecture_of(record: RunRecord) -> Architecture:
    """Architecture of a run's whole network."""
    return Architecture(**record.architecture.model_dump())

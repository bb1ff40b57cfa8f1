"""Images of a run, or those that are asked for in their place."""

from pathlib import Path

from ap_core.contracts import DataRequest
from ap_core.errors import UsageError
from ap_core.runs.records import RunRecord
from ap_train.runs.networks import architecture_of
from ap_train.runs.options import ImageOptions


def images_asked_for(record: RunRecord, options: ImageOptions) -> DataRequest:
    """Images of the run, but for what is asked for.

    Raises: UsageError where neither names any.
    """
    before = record.options
    name = options.data or before.get("data")
    if not name:
        raise UsageError(
            "no images to work with: the run was pruned without any", hint="give some with --data"
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

"""Accuracy of a network on held-out images, and what recoveries make of it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ap_core.contracts import DataSource
from ap_core.plugins.registry import Registry
from ap_core.runs.records import QualityRecord, RecoveryRecord

if TYPE_CHECKING:
    from torch.nn import Module

METER = "accuracy"
Measure = Callable[["Module"], QualityRecord]


def measure_with(
    registry: Registry, data: DataSource, input_size: tuple[int, int, int], *, report: bool
) -> Measure:
    """Function that measures a network: on the report split, or on the one that judges trials."""
    meter = registry.meters[METER].make()
    images = _ReportSplit(data) if report else data

    def measure(module: "Module") -> QualityRecord:
        found = meter(module, input_size=input_size, data=images)
        return QualityRecord(
            images=int(found["images"]),
            loss=float(found["loss"]),
            top1=float(found["top1"]),
            top5=float(found["top5"]),
        )

    return measure


class _ReportSplit:
    """A data source whose held-out images are those that nothing was selected on."""

    def __init__(self, data: DataSource) -> None:
        self.num_classes = data.num_classes
        self.calibration = data.calibration
        self.held_out = data.report
        self.report = data.report
        self.record = data.record


def recover(
    registry: Registry,
    names: Sequence[str] | None,
    module: "Module",
    data: DataSource,
    measure: Measure | None,
) -> tuple[RecoveryRecord, ...]:
    """Run recoveries on a cut network, in place; those that find nothing to do leave no record.

    names: None for all that are offered. measure: None to skip before and after.
    """
    records = []
    before = measure(module) if measure else None
    for name in sorted(registry.recoveries) if names is None else names:
        note = registry.recoveries[name].make()(module, data)
        if not note:
            continue
        after = measure(module) if measure else None
        records.append(RecoveryRecord(name=name, note=note, before=before, after=after))
        before = after
    return tuple(records)

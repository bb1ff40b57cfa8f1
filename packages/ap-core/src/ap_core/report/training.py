"""What the page of a run shows of its training."""

from collections.abc import Iterator
from dataclasses import dataclass

from ap_core.report.curve import Curve, Point, curve
from ap_core.runs.records import QualityRecord, TrainingRecord


@dataclass(frozen=True, kw_only=True)
class TrainingPage:
    """A training: its epochs as curves, and accuracy before and after, by name."""

    record: TrainingRecord
    curves: tuple[Curve, ...]
    qualities: tuple[tuple[str, QualityRecord], ...]


def training_page(record: TrainingRecord | None) -> TrainingPage | None:
    """Page of a training; None where there is none."""
    if record is None:
        return None
    stages = (
        ("uncut", record.baseline),
        ("pruned", record.before),
        ("fine-tuned, reloaded from disk", record.after),
    )
    return TrainingPage(
        record=record,
        curves=tuple(_curves(record)),
        qualities=tuple((name, quality) for name, quality in stages if quality is not None),
    )


def _curves(record: TrainingRecord) -> Iterator[Curve]:
    if not record.history:
        return
    losses = [
        Point(series=name, x=epoch.epoch + 1, y=loss, label="")
        for epoch in record.history
        for name, loss in (("training", epoch.loss), ("held out", epoch.selection_loss))
    ]
    top1 = [
        Point(
            series="held out",
            x=epoch.epoch + 1,
            y=100 * epoch.selection_top1,
            label="best" if epoch.epoch == record.best else "",
        )
        for epoch in record.history
    ]
    yield curve(losses, title="Loss after each epoch", x_label="epoch", y_label="loss")
    yield curve(top1, title="Top-1 after each epoch", x_label="epoch", y_label="top-1, %")

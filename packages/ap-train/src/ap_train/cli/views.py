"""What the commands of training show."""

from typing import TYPE_CHECKING

from ap_core.console import Cell, Console
from ap_core.report.amounts import percent
from ap_core.report.commands import command
from ap_core.runs.records import QualityRecord
from ap_core.runs.schema import SCHEMA

if TYPE_CHECKING:
    from ap_train.finetuning.finetune import Finetuned


def show_finetuned(console: Console, done: "Finetuned") -> None:
    """Accuracy before and after, and what to type next."""
    training = done.training
    rows: list[tuple[Cell, ...]] = [
        (name, percent(quality.top1, 2), percent(quality.top5, 2), quality.loss)
        for name, quality in _stages(done).items()
    ]
    chosen = "the run may have seen" if training.seen else "nothing was chosen on"
    title = f"{done.record.architecture.name}, on {_images(done)} images that {chosen}"
    console.table(("network", "top-1", "top-5", "loss"), rows, title=title)
    best = 0 if training.best is None else training.best + 1
    console.result(
        f"best of {len(training.history)} epochs: {best}; "
        f"teacher: {training.teacher or 'none'}; weights: {done.path / 'finetune'}"
    )
    console.result(f"report: {done.path / 'report.html'}")
    for purpose, words in (
        ("Measure it with intervals, beside the uncut network", ("eval", str(done.path))),
        ("See the run in the terminal", ("runs", "show", str(done.path))),
    ):
        console.result(f"{purpose}:\n    {command(*words)}")


def finetuned_document(done: "Finetuned") -> dict[str, object]:
    """JSON of a training; `best` counts from 0, as `epoch` in the history does."""
    training = done.training
    return {
        "schema": SCHEMA,
        "run": str(done.path),
        "model": done.record.architecture.name,
        "teacher": training.teacher,
        "epochs": len(training.history),
        "best": training.best,
        "worse": training.worse,
        "seen": training.seen,
        "accuracy": {name: quality.model_dump() for name, quality in _stages(done).items()},
        "history": [epoch.model_dump() for epoch in training.history],
        "skipped": list(training.skipped),
    }


def _stages(done: "Finetuned") -> dict[str, QualityRecord]:
    training = done.training
    stages = {
        "uncut": training.baseline, "pruned": training.before, "fine-tuned": training.after,
    }  # fmt: skip
    return {name: quality for name, quality in stages.items() if quality is not None}


def _images(done: "Finetuned") -> int:
    return done.training.after.images if done.training.after else 0

"""What `ap eval` shows."""

from typing import TYPE_CHECKING

from ap_core.console import Cell, Console
from ap_core.report.amounts import percent
from ap_train.evaluation.document import FIGURES

if TYPE_CHECKING:
    from ap_train.evaluation.evaluate import ClassAccuracy, Evaluation
    from ap_train.evaluation.intervals import Estimate

CONFIDENCE = "95 %"
NAMES = {"top1": "top-1", "top5": "top-5", "loss": "loss"}


def show_evaluation(console: Console, found: "Evaluation", *, per_class: bool) -> None:
    """Figures with their intervals; beside the baseline's, and the difference."""
    columns = ["", found.network.name, CONFIDENCE]
    if found.baseline is not None:
        columns += [found.baseline.name, CONFIDENCE, "difference", CONFIDENCE]
    rows = [_row(found, figure) for figure in FIGURES]
    images = len(found.network.answers.labels)
    split = found.split.value.replace("_", "-")
    title = f"{found.network.model}, on {images} images of the {split} split of {_data(found)}"
    console.table(columns, rows, title=title)
    if per_class:
        heads = ["class", "images", "top-1", CONFIDENCE]
        heads += [] if found.baseline is None else [found.baseline.name, CONFIDENCE]
        console.table(heads, [_class_row(each, found) for each in found.by_class()])
    if found.baseline is not None:
        console.result(
            f"difference: {found.network.name} less {found.baseline.name}, image by image; "
            "that of top-1 and top-5 in points"
        )


def _row(found: "Evaluation", figure: str) -> tuple[Cell, ...]:
    network: Estimate = getattr(found.network.accuracy, figure)
    row = [NAMES[figure], *_spelt(network, figure)]
    if found.baseline is not None:
        row += _spelt(getattr(found.baseline.accuracy, figure), figure)
        row += _apart(getattr(found.difference, figure), figure)
    return tuple(row)


def _class_row(each: "ClassAccuracy", found: "Evaluation") -> tuple[Cell, ...]:
    row: list[Cell] = [each.name, each.images]
    for estimate in (each.top1, each.baseline)[: 1 if found.baseline is None else 2]:
        row += (None, None) if estimate is None else _spelt(estimate, "top1")
    return tuple(row)


def _spelt(estimate: "Estimate", figure: str) -> tuple[str, str]:
    value, low, high = estimate.value, estimate.low, estimate.high
    if figure == "loss":
        return f"{value:.4f}", f"{low:.4f} to {high:.4f}"
    return percent(value, 2), f"{100 * low:.2f} to {100 * high:.2f}"


def _apart(estimate: "Estimate", figure: str) -> tuple[str, str]:
    value, low, high = estimate.value, estimate.low, estimate.high
    if figure == "loss":
        return f"{value:+.4f}", f"{low:+.4f} to {high:+.4f}"
    return f"{100 * value:+.2f}", f"{100 * low:+.2f} to {100 * high:+.2f}"


def _data(found: "Evaluation") -> str:
    return str(found.data.get("root") or found.data.get("name") or "the data")

"""The JSON of an evaluation."""

from typing import TYPE_CHECKING

from ap_core.runs.schema import SCHEMA

if TYPE_CHECKING:
    from ap_train.evaluation.evaluate import Evaluation, Measured
    from ap_train.evaluation.intervals import Accuracy, Difference, Estimate

FIGURES = ("top1", "top5", "loss")


def evaluation_document(found: "Evaluation", *, per_class: bool) -> dict[str, object]:
    """JSON of an evaluation: integers, floats, and intervals as [low, high]."""
    document: dict[str, object] = {
        "schema": SCHEMA,
        **_measured(found.network),
        "split": found.split.value,
        "images": len(found.network.answers.labels),
        "confidence": 0.95,
        "data": dict(found.data),
        "baseline": None if found.baseline is None else _measured(found.baseline),
        "difference": None if found.difference is None else _figures(found.difference),
    }
    if per_class:
        document["classes"] = [
            {
                "class": each.label,
                "name": each.name,
                "images": each.images,
                "top1": _estimate(each.top1),
                "baseline_top1": _estimate(each.baseline),
            }
            for each in found.by_class()
        ]
    return document


def _measured(each: "Measured") -> dict[str, object]:
    return {
        "model": each.model,
        "run": None if each.run is None else str(each.run),
        "weights": each.weights,
        "accuracy": _figures(each.accuracy),
    }


def _figures(found: "Accuracy | Difference") -> dict[str, object]:
    return {figure: _estimate(getattr(found, figure)) for figure in FIGURES}


def _estimate(found: "Estimate | None") -> dict[str, object] | None:
    if found is None:
        return None
    return {"value": found.value, "interval": [found.low, found.high]}

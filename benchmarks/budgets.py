"""Every budget of the paper, and 25, 50 and 75 %: over? below? predicted = measured?

Each target is one solve. Measured is what a counter finds on the network that `load_model` gives
back from disk. Weights are random, so that nothing needs to be downloaded; the budget does not
depend on them.
"""

import tempfile
from pathlib import Path

from ap_core import load_model
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.prune import Pruned, prune
from ap_models.counters import count, count_params
from benchmarks.output import Row, show

TARGETS = {
    "resnet50": "2.06",
    "resnet101": "4.48",
    "convnext_small": "8.48",
    "convnext_base": "8.17",
    "deit_tiny": "0.62",
    "deit_small": "1.21",
    "deit_base": "4.16",
}
SHARES = "25%,50%,75%"


def rows_of(model: str, targets: str, round_to: int | None) -> list[Row]:
    """One row for each target."""
    options = PruneOptions.model_validate(
        {
            "model": model,
            "target_macs": targets,
            "weights": "random",
            "strategy": {"round_to": round_to},
        }
    )
    with tempfile.TemporaryDirectory() as place:
        return [row_of(model, each, round_to) for each in prune(options, output=Path(place))]


def row_of(model: str, pruned: Pruned, round_to: int | None) -> Row:
    """What one target came to."""
    (cap,) = pruned.budget.caps
    reloaded = load_model(pruned.path or "")
    size = pruned.network.input_size
    counted = count(reloaded, size)
    measured, theirs = counted.macs, counted.torch_pruning_macs
    result = pruned.record.result
    return {
        "model": model,
        "round_to": round_to or "auto",
        "target G": cap.limit / 1e9,
        "predicted": pruned.plan.macs,
        "measured": measured,
        "equal": measured == pruned.plan.macs and count_params(reloaded) == pruned.plan.params,
        "below %": 100 * (1 - measured / cap.limit),
        "solves": len(pruned.trials),
        "gap to bound": pruned.plan.gap,
        "params M": pruned.plan.params / 1e6,
        "torch-pruning G": None if theirs is None else theirs / 1e9,
        "solve s": result.seconds["solve"] if result else None,
    }


def main() -> None:
    """All models, all targets, with multiples of 8 and without."""
    rows = [
        row
        for model, target in TARGETS.items()
        for round_to in (None, 1)
        for row in rows_of(model, f"{target},{SHARES}", round_to)
    ]
    over = sum(row["below %"] < 0 for row in rows)
    most = max(row["below %"] for row in rows)
    show(
        "budgets",
        rows,
        about=__doc__ or "",
        note=f"{len(rows)} targets, {over} over, at most {most:.4f} % below",
    )


if __name__ == "__main__":
    main()

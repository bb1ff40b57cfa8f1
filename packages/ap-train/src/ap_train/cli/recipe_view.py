"""What `ap run` shows."""

from typing import TYPE_CHECKING

from ap_core.console import Cell, Console
from ap_core.runs.schema import SCHEMA

if TYPE_CHECKING:
    from ap_train.pipeline import RecipeResult
    from ap_train.recipes.recipe import Recipe


def show_recipe(console: Console, recipe: "Recipe", done: "RecipeResult") -> None:
    """Stages, and what was measured at the end."""
    console.table(("stage", ""), list(done.stages.items()), title=recipe.title)
    final = "fine-tuned" if "finetune" in done.stages else "pruned"
    if done.evaluation is not None:
        console.table(("network", "top-1", "95 %"), _accuracies(done.evaluation, final))
    if done.benchmark is not None:
        console.table(("network", "latency, ms"), _latencies(done.benchmark, final))
    console.result(f"report: {done.path / 'report.html'}")


def recipe_document(done: "RecipeResult") -> dict[str, object]:
    """JSON of a recipe that was followed."""
    return {
        "schema": SCHEMA,
        "run": str(done.path),
        "stages": dict(done.stages),
        "evaluation": done.evaluation,
        "benchmark": done.benchmark,
    }


def _accuracies(document: dict[str, object], final: str) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for name, measured in (("uncut", document.get("baseline")), (final, document)):
        if isinstance(measured, dict):
            top1 = measured["accuracy"]["top1"]
            low, high = top1["interval"]
            rows.append((name, f"{top1['value']:.2%}", f"{low:.2%} to {high:.2%}"))
    return rows


def _latencies(document: dict[str, object], final: str) -> list[tuple[Cell, ...]]:
    names = {"whole": "uncut", "pruned": final}
    return [
        (names.get(name, name), 1000 * float(measured["latency"]))
        for name, measured in document.items()
        if isinstance(measured, dict) and "latency" in measured
    ]

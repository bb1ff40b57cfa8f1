"""`ap demo`."""

from dataclasses import replace
from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.cli.prune_view import document, show
from ap_train.cli.views import finetuned_document, show_finetuned


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("runs/demo"),
    show_default=True,
    metavar="DIR",
    help="Directory for the trained weights and the run, absent or empty.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def demo(app: App, /, *, output: Path, seed: int, as_json: bool) -> None:
    """Train a small network on digits, cut it to half its MACs, fine-tune it, and report.

    Needs no download and less than three minutes on two cores.
    """
    from ap_train.demo import run_demo

    pruned, finetuned = run_demo(app.registry, app.console, output, seed=seed)
    if as_json:
        app.console.json(document((pruned,)) | {"finetuned": finetuned_document(finetuned)})
        return
    show(app.console, (replace(pruned, record=finetuned.record),))
    show_finetuned(app.console, finetuned)

"""`ap prune`."""

from collections.abc import Sequence
from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.cli.inputs import check_resume_alone
from ap_core.cli.prune_options import OUTPUT, PRUNE_OPTIONS, options_of
from ap_core.cli.prune_view import document, show
from ap_core.pipeline.prune import Pruned, resume_all
from ap_core.pipeline.prune import prune as prune_to_targets


def _with_options(command: click.Command) -> click.Command:
    command.params = [*PRUNE_OPTIONS, *command.params]
    return command


@_with_options
@click.command()
@OUTPUT
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Go on with a run that was stopped; its options are its own.",
)
@click.option("--dry-run", is_flag=True, help="Show what would come out; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def prune(
    app: App,
    /,
    *,
    output: Path | None,
    resume: Path | None,
    dry_run: bool,
    as_json: bool,
    **given: object,
) -> None:
    """Cut a network down to a budget, and save, verify and report what comes out.

    \b
    ap prune --model convnext_small --target-macs 8.48
    ap prune --model resnet50 --target-macs 3.0,2.06,1.0
    ap prune --model resnet50 --target-latency 70% --latency-backend onnxruntime
    ap prune --model test_resnet --num-classes 10 --input-size 32 --target-macs 50% --data digits
    """
    if resume is not None:
        check_resume_alone("ap prune", resume)
        results = resume_all(resume, registry=app.registry, progress=app.console)
        _present(app, results, as_json=as_json)
        return
    results = prune_to_targets(
        options_of(given),
        output=output,
        dry_run=dry_run,
        command=("ap", *app.arguments),
        registry=app.registry,
        progress=app.console,
    )
    _present(app, results, as_json=as_json)


def _present(app: App, results: Sequence[Pruned], *, as_json: bool) -> None:
    if as_json:
        app.console.json(document(results))
        return
    show(app.console, results)

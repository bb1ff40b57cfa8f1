"""`ap drive`."""

from pathlib import Path
from typing import BinaryIO

import click

from ap_core.cli.app import App, pass_app
from ap_core.cli.drive_view import (
    show_situation,
    show_trial,
    situation_document,
    trial_document,
)
from ap_core.cli.inputs import check_resume_alone, text_of
from ap_core.cli.prune_options import DRIVE_OPTIONS, OUTPUT, options_of
from ap_core.cli.prune_view import document
from ap_core.cli.prune_view import show as show_pruned
from ap_core.pipeline import driving
from ap_core.pipeline.searching.situation import Situation

RUN = click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def _with_options(command: click.Command) -> click.Command:
    command.params = [*DRIVE_OPTIONS, *command.params]
    return command


@click.group()
def drive() -> None:
    """Search step by step: you, a script or a coding agent proposes, without any LLM service.

    \b
    ap drive start --model test_resnet --num-classes 10 --input-size 32 --data digits \\
        --target-macs 50% --output runs/mine
    ap drive show runs/mine
    echo '{"importance": "fisher", "smoothing": 0.5}' | ap drive try runs/mine -
    ap drive finish runs/mine
    """


@_with_options
@drive.command("start")
@OUTPUT
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Go on with a start that was stopped; its options are its own.",
)
@JSON
@pass_app
def start_command(
    app: App,
    /,
    *,
    output: Path | None,
    resume: Path | None,
    as_json: bool,
    **given: object,
) -> None:
    """Begin a run: measure, try the base strategy, and show what there is to go by."""
    if resume is not None:
        check_resume_alone("ap drive start", resume)
        situation = driving.restart(resume, registry=app.registry, progress=app.console)
    else:
        situation = driving.start(
            options_of(given),
            output=output,
            command=("ap", *app.arguments),
            registry=app.registry,
            progress=app.console,
        )
    _present(app, situation, as_json=as_json)


@drive.command("show")
@RUN
@JSON
@pass_app
def show_command(app: App, /, *, run: Path, as_json: bool) -> None:
    """Show what there is to go by: what an LLM would be sent, and the schema of its reply."""
    _present(app, driving.show(run, registry=app.registry), as_json=as_json)


@drive.command("try")
@RUN
@click.argument("proposal", metavar="FILE", type=click.File("rb"))
@JSON
@pass_app
def try_command(app: App, /, *, run: Path, proposal: BinaryIO, as_json: bool) -> None:
    """Try a proposal, JSON in a file or (-) on stdin, and show what came of it.

    One that is of no use is refused, with exit code 2: nothing is recorded of it.
    """
    situation = driving.attempt(
        run, text_of("the proposal", proposal), registry=app.registry, progress=app.console
    )
    if as_json:
        app.console.json(trial_document(situation))
        return
    show_trial(app.console, situation)


@drive.command("finish")
@RUN
@JSON
@pass_app
def finish_command(app: App, /, *, run: Path, as_json: bool) -> None:
    """End the search with the best trial's plan: cut, save, verify and report, as 'ap prune'."""
    pruned = driving.finish(run, registry=app.registry, progress=app.console)
    if as_json:
        app.console.json(document((pruned,)))
        return
    show_pruned(app.console, (pruned,))


def _present(app: App, situation: Situation, *, as_json: bool) -> None:
    if as_json:
        app.console.json(situation_document(situation))
        return
    show_situation(app.console, situation)

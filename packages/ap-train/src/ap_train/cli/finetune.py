"""`ap finetune`."""

from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.errors import UsageError
from ap_train.cli.image_options import with_image_options
from ap_train.cli.training_options import settings_of, training_options
from ap_train.cli.views import finetuned_document, show_finetuned
from ap_train.finetuning.options import FinetuneOptions

WITH_RESUME = ("run", "resume", "track", "as_json", "quiet", "verbose", "no_color")
"""Options that change what is shown, not what is done."""


def _with_options(command: click.Command) -> click.Command:
    command.params = [*command.params, *training_options()]
    return command


@_with_options
@with_image_options
@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--held-out",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images that choose the best epoch, and as many that report.",
)
@click.option(
    "--teacher",
    multiple=True,
    metavar="MODEL|RUN|none",
    help="Whom to learn from; default: the uncut network, where anything is learnt from one.",
)
@click.option(
    "--teacher-checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a teacher that is named; default: its published ones.",
)
@click.option("--from-scratch", is_flag=True, help="Train, even though the weights are random.")
@click.option("--resume", is_flag=True, help="Go on with a training that was stopped.")
@click.option(
    "--track", default="", metavar="NAME", help="Tracker: tensorboard, wandb, ...; default: none."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def finetune(app: App, /, *, run: Path, as_json: bool, **given: object) -> None:
    """Train a pruned network again, with the uncut one as its teacher.

    The run's weights are those of the best epoch afterwards: load_model gives them. On several
    GPUs or machines, start it with torchrun, or with accelerate launch:

    \b
    ap finetune runs/first --data /path/to/imagenet --preset resnet
    torchrun --nproc_per_node 4 -m ap_core finetune runs/first --data /path/to/imagenet
    """
    from ap_train.finetuning.finetune import Given, resume
    from ap_train.finetuning.finetune import finetune as finetune_run

    theirs = Given(track=str(given["track"]), command=("ap", *app.arguments))
    if given["resume"]:
        _refuse_others(run)
        done = resume(run, given=theirs, registry=app.registry, progress=app.console)
    else:
        options = _options(given)
        done = finetune_run(run, options, given=theirs, registry=app.registry, progress=app.console)
    if not done.main:
        return
    if as_json:
        app.console.json(finetuned_document(done))
        return
    show_finetuned(app.console, done)


def _options(given: dict[str, object]) -> FinetuneOptions:
    teachers = given["teacher"]
    assert isinstance(teachers, tuple)
    if len(teachers) > 1:
        raise UsageError(
            f"{len(teachers)} teachers: {', '.join(teachers)}", hint="a network learns from one"
        )
    same = ("data", "data_root", "held_out", "on_corrupt", "teacher_checkpoint", "from_scratch")
    fields = {name: given[name] for name in same}
    teacher = teachers[0] if teachers else None
    return FinetuneOptions.of(str(given["preset"]), settings_of(given), teacher=teacher, **fields)


def _refuse_others(run: Path) -> None:
    context = click.get_current_context()
    for param in context.command.params:
        name = param.name or ""
        source = context.get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE and name not in WITH_RESUME:
            raise UsageError(
                f"--resume goes on with the training's options; {param.opts[0]} cannot be given",
                hint=f"leave it out: ap finetune {run} --resume",
            )

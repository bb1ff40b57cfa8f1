"""`ap eval`."""

from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.cli.inputs import INPUT_SIZE
from ap_core.contracts import WeightsPolicy
from ap_train.cli.evaluation_view import show_evaluation
from ap_train.cli.image_options import with_image_options
from ap_train.evaluation.document import evaluation_document
from ap_train.evaluation.options import EvalOptions


@with_image_options
@click.command("eval")
@click.argument("subject", metavar="RUN|MODEL")
@click.option(
    "--split",
    type=click.Choice(["report", "held_out"]),
    default="report",
    show_default=True,
    help="Images that nothing was chosen on, or those that trials and epochs were.",
)
@click.option(
    "--held-out",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images in either split; default: those of the run, or a share.",
)
@click.option(
    "--baseline",
    metavar="RUN|MODEL|none",
    help="What to compare with; default: a run's uncut network, none for a model.",
)
@click.option(
    "--baseline-checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a baseline that is a model; default: its published ones.",
)
@click.option("--per-class", is_flag=True, help="Show the top-1 of every class, too.")
@click.option(
    "--pruned-only", is_flag=True, help="Measure a run's weights as they were before training."
)
@click.option(
    "--weights",
    type=click.Choice([each.value for each in WeightsPolicy]),
    help="Where a model's weights come from; random ones are not taken unless asked for.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a model: state dict, .safetensors or .pth.",
)
@click.option("--num-classes", type=click.IntRange(min=1), help="Classes of a model.")
@click.option(
    "--input-size",
    type=INPUT_SIZE,
    metavar="N|C,H,W",
    help="Size of one image that a model sees; default: its own.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of a model's splits, and of random weights; default: 0.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Images in one pass of one process.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Processes that read images; default: as many as pay.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def evaluate(app: App, /, *, subject: str, per_class: bool, as_json: bool, **given: object) -> None:
    """Measure how well a network does, with 95 % intervals, beside a baseline on the same images.

    On several GPUs or machines, start it with torchrun, or with accelerate launch; the figures are
    the same.

    \b
    ap eval runs/first
    ap eval resnet50.tv_in1k --data /path/to/imagenet --baseline resnet34.tv_in1k
    torchrun --nproc_per_node 4 -m ap_core eval runs/first --per-class
    """
    from ap_train.evaluation.evaluate import evaluate as evaluate_network

    options = EvalOptions.parse(given)
    found = evaluate_network(subject, options, registry=app.registry, progress=app.console)
    if not found.main:
        return
    if as_json:
        app.console.json(evaluation_document(found, per_class=per_class))
        return
    show_evaluation(app.console, found, per_class=per_class)

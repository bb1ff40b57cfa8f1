"""`ap export`."""

from pathlib import Path

import click

from ap_bench.exporting.view import exported_document, show_exported
from ap_core.cli.app import App, pass_app
from ap_core.cli.inputs import INPUT_SIZE
from ap_core.contracts import Precision, WeightsPolicy


@click.command()
@click.argument("subject", metavar="RUN|MODEL")
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    help="onnx, torch-export, or an exporter that 'ap plugins' lists.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Default: export/model.SUFFIX in the run, or ./MODEL.SUFFIX.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option(
    "--dtype",
    type=click.Choice([each.value for each in Precision]),
    default=Precision.FP32.value,
    show_default=True,
    help="Type of weights, images and logits; bf16 for torch-export only.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images in every pass; default: any number.",
)
@click.option("--opset", type=int, metavar="N", help="Of ONNX's operators, 18 to 23; default: 20.")
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
@click.option("--seed", type=click.IntRange(min=0), help="Of random weights; default: 0.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def export(app: App, /, *, subject: str, as_json: bool, **given: object) -> None:
    """Write a pruned network, or a whole one, to a file that runs without ap.

    Of a run, the weights are those after training, where there are any. The file is read again by
    another process, without ap, and its outputs are compared with the network's: one that differs
    is not kept.

    \b
    ap export runs/first --to onnx
    ap export runs/first --to torch-export --dtype bf16 --batch-size 8
    ap export resnet50.tv_in1k --to onnx --opset 18 --output whole.onnx
    """
    from ap_bench.exporting.export import export as export_network

    done = export_network(subject, registry=app.registry, progress=app.console, **given)  # type: ignore[arg-type]
    if as_json:
        app.console.json(exported_document(done))
        return
    show_exported(app.console, done)

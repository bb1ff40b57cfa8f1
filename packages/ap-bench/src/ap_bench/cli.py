"""`ap bench`."""

from pathlib import Path

import click

from ap_bench.measuring.options import FEWEST, ROUNDS, BenchOptions
from ap_bench.measuring.settings import Backend, MemoryFormat
from ap_core.cli.app import App, pass_app
from ap_core.cli.inputs import INPUT_SIZE, Several
from ap_core.contracts import Precision

COUNTS = Several(click.IntRange(min=1))


@click.command()
@click.argument("subjects", nargs=-1, required=True, metavar="MODEL|RUN|FILE...")
@click.option(
    "--batch-size",
    type=COUNTS,
    default="1",
    show_default=True,
    metavar="N[,N...]",
    help="Images in one pass.",
)
@click.option(
    "--dtype",
    type=Several(click.Choice([each.value for each in Precision])),
    default="fp32",
    show_default=True,
    metavar="TYPE[,TYPE...]",
    help="Type of weights and images: fp32, bf16, fp16.",
)
@click.option(
    "--device",
    type=Several(click.STRING),
    default="cpu",
    show_default=True,
    metavar="NAME[,NAME...]",
    help="cpu, cuda, cuda:N, mps, or auto for the best that is there.",
)
@click.option(
    "--threads",
    type=COUNTS,
    default=(),
    metavar="N[,N...]",
    help="Threads of the CPU; default: torch's own number.",
)
@click.option(
    "--memory-format",
    type=Several(click.Choice([each.value for each in MemoryFormat])),
    default="contiguous",
    show_default=True,
    metavar="FORMAT[,FORMAT...]",
    help="contiguous, channels-last.",
)
@click.option(
    "--backend",
    type=Several(click.Choice([each.value for each in Backend])),
    default=(),
    metavar="NAME[,NAME...]",
    help="eager, compile, onnxruntime; default: onnxruntime for .onnx files, eager for all others.",
)
@click.option(
    "--input-size",
    type=INPUT_SIZE,
    metavar="N|C,H,W",
    help="Size of one image that models see; default: their own.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=FEWEST),
    default=ROUNDS,
    show_default=True,
    metavar="N",
    help="Rounds; in each, networks run in a random order and back.",
)
@click.option("--fresh", is_flag=True, help="Measure every round in new processes.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw latency against MACs, and accuracy where runs have one: .png or .svg.",
)
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), metavar="FILE", help="Write a table, too."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def bench(
    app: App,
    /,
    *,
    subjects: tuple[str, ...],
    plot: Path | None,
    table: Path | None,
    as_json: bool,
    **given: object,
) -> None:
    """Compare networks on this machine: latency, throughput, memory, and how sure each figure is.

    Subjects are models, runs, and files of ONNX (.onnx) or torch.export (.pt2). Speed-ups are over
    the first; before a run that is named alone comes its whole network. Every combination of the
    options is measured. Whole networks have random weights: these do not change how long a pass
    takes.

    \b
    ap bench runs/first
    ap bench resnet50 runs/a runs/b --batch-size 1,8 --backend eager,onnxruntime
    ap bench resnet50 runs/a --device cuda --dtype bf16 --memory-format channels-last
    """
    from ap_bench.measuring.bench import bench as measure
    from ap_bench.measuring.document import bench_document
    from ap_bench.measuring.outputs import check_outputs, write_outputs
    from ap_bench.measuring.view import show_bench

    check_outputs(subjects, plot, table)
    options = BenchOptions.parse(given)
    found = measure(subjects, options, registry=app.registry, progress=app.console)
    if as_json:
        app.console.json(bench_document(found))
    else:
        show_bench(app.console, found)
    write_outputs(found, plot=plot, table=table)

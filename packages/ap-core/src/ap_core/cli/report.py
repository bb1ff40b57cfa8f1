"""`ap report`."""

from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.report.bench_file import BenchFile
from ap_core.report.html import render_report, render_targets
from ap_core.runs.directory import REPORT, RunDirectory
from ap_core.runs.files import write

SEVERAL = "comparison.html"


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Default: report.html in the run, or ./comparison.html for several.",
)
@click.option(
    "--bench",
    "measured",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Latencies, as 'ap bench RUN... --json' printed them.",
)
@pass_app
def report(
    app: App, /, *, runs: tuple[Path, ...], output: Path | None, measured: Path | None
) -> None:
    """Write the page of one run, or one that compares several.

    One HTML file that needs no network to open. Several runs are drawn as curves: accuracy over
    MACs, and over latency where that is known: of runs that were cut to one, and of those in FILE.
    """
    opened = [RunDirectory.open(path) for path in runs]
    bench = None if measured is None else BenchFile.read(measured, runs=runs)
    if len(opened) == 1:
        place = output or runs[0] / REPORT
        page = render_report(opened[0], bench=bench)
    else:
        place = output or Path(SEVERAL)
        page = render_targets(opened, beside=place.parent, bench=bench)
    write(place, page.encode())
    app.console.result(f"report: {place}")

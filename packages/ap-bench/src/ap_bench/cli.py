"""`ap bench`."""

import click

from ap_bench.comparison import Measured, measure
from ap_core.cli.app import App, pass_app
from ap_core.report.amounts import amount


@click.command()
@click.argument("subjects", nargs=-1, required=True, metavar="MODEL|RUN...")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Images in one pass.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads; default: torch's own.")
@click.option(
    "--rounds",
    type=click.IntRange(min=3),
    default=7,
    show_default=True,
    help="Rounds; in each, every network runs in turn.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def bench(
    app: App,
    /,
    *,
    subjects: tuple[str, ...],
    batch_size: int,
    threads: int | None,
    rounds: int,
    as_json: bool,
) -> None:
    """Compare the latency of networks and runs on this machine's CPU.

    The first row is what the others' speed-up is over: the first network that is named, else the
    whole network of the first run. Whole networks have random weights: these do not change how
    long a pass takes.
    """
    with app.console.progress(None, "measuring"):
        found = measure(
            app.registry, subjects, batch_size=batch_size, threads=threads, rounds=rounds
        )
    if as_json:
        app.console.json(
            {"schema": 1, "batch_size": batch_size, "results": [_json(m) for m in found]}
        )
        return
    columns = ("network", "MACs", "parameters", "median ms", "p90 ms", "speed-up")
    app.console.table(columns, [_row(m) for m in found])


def _row(each: Measured) -> tuple[str, str, str, float, float, float]:
    latency = each.latency
    return (
        each.name,
        amount(each.macs),
        amount(each.params),
        round(latency.median * 1e3, 3),
        round(latency.p90 * 1e3, 3),
        round(latency.ratio, 3),
    )


def _json(each: Measured) -> dict[str, object]:
    return {
        "name": each.name,
        "macs": each.macs,
        "params": each.params,
        "median": each.latency.median,
        "p90": each.latency.p90,
        "ratio": each.latency.ratio,
        "rounds": list(each.latency.rounds),
    }

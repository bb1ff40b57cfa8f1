"""Pages as one HTML file each: no script, nothing from elsewhere, everything escaped."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.network import SECOND, Network
from ap_core.report import amounts, bars
from ap_core.report.bars import BarChart, stage_chart, width_chart
from ap_core.report.bench_file import BenchFile
from ap_core.report.documents import Documents
from ap_core.report.page import flattened, gap_text, run_page, strategy_text
from ap_core.report.summary import KINDS, by_kind, by_layer, by_stage, group_widths, total
from ap_core.report.targets import targets_page

if TYPE_CHECKING:
    from jinja2 import Environment


def render_report(run: Documents, *, bench: BenchFile | None = None) -> str:
    """Page of one run. bench: latencies besides its own.

    Raises: RunError where its documents are damaged, UsageError where the file does not fit it.
    """
    return _render("report.html.j2", page=run_page(run, bench))


def render_targets(
    runs: Sequence[Documents], *, beside: Path, bench: BenchFile | None = None
) -> str:
    """Page that compares several runs. beside: directory that the page will be in, for its links.

    bench: latencies besides the runs' own. Raises: RunError, UsageError.
    """
    return _render("targets.html.j2", page=targets_page(runs, beside=beside, bench=bench))


def render_profile(network: Network) -> str:
    """Page of a whole network: its stages, its layers, its groups."""
    stages = by_stage(network)
    return _render(
        "profile.html.j2",
        network=network,
        total=total(network),
        stages=stages,
        kinds=by_kind(network),
        layers=by_layer(network),
        widths=group_widths(network),
        stage_chart=stage_chart(stages),
        params_chart=stage_chart(stages, params=True),
        width_chart=width_chart(network, None),
    )


def render_svg(charts: Sequence[BarChart], *, title: str) -> str:
    """Charts one below the other as an SVG document of its own."""
    return _render("charts.svg.j2", charts=charts, title=title)


def _render(template: str, **values: object) -> str:
    text = _environment().get_template(template).render(values)
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ap_core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": amounts.amount,
        "below": amounts.below,
        "duration": amounts.duration,
        "integer": amounts.integer,
        "latency": amounts.time_taken,
        "time_taken": lambda seconds: amounts.time_taken(round(SECOND * seconds)),
        "percent": amounts.percent,
        "flattened": lambda document: list(flattened(document)),
        "gap_text": gap_text,
        "strategy_text": strategy_text,
    }
    environment.globals |= {"bars": bars, "kinds_of_groups": KINDS}
    return environment

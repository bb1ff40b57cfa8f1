"""The page of a comparison: one HTML file, laid out like the reports of runs."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ap_bench.ablations.charts import contender_chart, search_curves
from ap_bench.ablations.document import AblationRecord
from ap_bench.ablations.records import CellRecord
from ap_bench.ablations.tables import cell_table, overall_table, target_table
from ap_core.report import bars
from ap_core.report.page import flattened
from ap_core.runs.directory import REPORT
from ap_core.runs.files import write

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = "index.html"


def write_page(record: AblationRecord, home: Path) -> None:
    """Write index.html. Raises: RunError."""
    write(home / PAGE, render(record, home).encode("utf-8", "replace"))


def render(record: AblationRecord, home: Path) -> str:
    """Page of a comparison. home: directory that it is in, for its links."""
    columns, rows = cell_table(record.cells)
    return (
        _environment()
        .get_template("ablation.html.j2")
        .render(
            record=record,
            random=any(cell.weights == "random" for cell in record.cells),
            missed=sum(cell.status == "missed" for cell in record.cells),
            stand_ins=sum(cell.stand_ins for cell in record.cells),
            overall=overall_table(record.overall),
            by_target=target_table(record.by_target),
            cells=(columns, rows, [_link(cell, home) for cell in record.cells]),
            chart=contender_chart(record.by_target),
            searches=search_curves(record.cells, record.contenders),
            settings=list(flattened(record.configuration)),
        )
    )


def _link(cell: CellRecord, home: Path) -> str:
    """Relative address of a run's own report; "" where there is none."""
    place = Path(cell.run, REPORT)
    return quote(place.as_posix()) if (home / place).exists() else ""


@cache
def _environment() -> "Environment":
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("ap_bench.ablations"), PackageLoader("ap_core.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"bars": bars}
    return environment

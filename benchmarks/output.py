"""What every benchmark does with its rows: a table on stdout, JSON beside the script."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from ap_core.pipeline.environment import processor

RESULTS = Path(__file__).parent / "results"
Row = Mapping[str, object]


def show(name: str, rows: Sequence[Row], *, about: str, note: str = "", suffix: str = "") -> None:
    """Print the rows as a table, and write them with the machine that made them.

    about: what was measured, and how; for the documentation. suffix: of the name.
    """
    name = f"{name}-{suffix}" if suffix else name
    table = Table(title=name, caption=note or None)
    columns = list(rows[0])
    for column in columns:
        numeric = isinstance(rows[0][column], int | float)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    Console(width=160).print(table)
    RESULTS.mkdir(exist_ok=True)
    document = {"benchmark": name, "about": about, "note": note, "machine": machine(), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def results(name: str) -> list[Row]:
    """Rows that a benchmark wrote; none where it has not run."""
    place = RESULTS / f"{name}.json"
    if not place.exists():
        return []
    rows: list[Row] = json.loads(place.read_text())["rows"]
    return rows


def machine() -> dict[str, str]:
    """Processor and versions."""
    names = ("torch", "timm", "torch-pruning", "numpy", "ap-core")
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        **_accelerator(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def measured_on() -> str:
    """Processor and the main versions, in short: for rows that are kept beside newer ones."""
    found = machine()
    versions = ", ".join(f"{name} {found[name]}" for name in ("torch", "timm", "ap-core"))
    return f"{found['processor']}; {versions}"


def _accelerator() -> dict[str, str]:
    if not torch.cuda.is_available():
        return {}
    return {"accelerator": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

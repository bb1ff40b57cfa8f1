"""What `ap ablate` shows in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from ap_bench.ablations.document import AblationRecord
from ap_bench.ablations.page import PAGE
from ap_bench.ablations.tables import main_table, target_tables
from ap_core.console import Console


def show_ablation(console: Console, record: AblationRecord, home: Path) -> None:
    """A table for each model and target, one over all, and where the page is."""
    console.result(record.title or f"comparison in {home}")
    for title, (columns, rows) in target_tables(record.by_target):
        console.table(columns, rows, title=title)
    columns, rows = main_table(record.overall)
    console.table(columns, rows, title="over all models, targets and seeds")
    console.result(f"page: {home / PAGE}")


def show_configurations(console: Console, listed: Sequence[tuple[str, str]]) -> None:
    """Names and titles."""
    console.table(("configuration", "what"), listed)

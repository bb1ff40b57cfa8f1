"""ablation.json: the whole comparison, as far as it has come."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from ap_bench.ablations.configuration import Configuration
from ap_bench.ablations.records import CellRecord
from ap_bench.ablations.summary import Summary, by_target, overall
from ap_core.errors import RunError
from ap_core.runs.documents import Document, decode, encode, readable
from ap_core.runs.files import explained, write
from ap_core.runs.records import Record
from ap_core.runs.schema import SCHEMA

ABLATION = "ablation.json"


class AblationRecord(Record):
    """A comparison. configuration: what decides its results; planned: cells that it has in all.

    by_target, overall: what the cells come to, by model, target and contender, and by contender.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    title: str
    version: str
    created: str
    command: tuple[str, ...]
    configuration: dict[str, object]
    environment: dict[str, str]
    contenders: tuple[str, ...]
    planned: int
    cells: tuple[CellRecord, ...] = ()
    by_target: tuple[Summary, ...] = ()
    overall: tuple[Summary, ...] = ()

    @property
    def failed(self) -> tuple[CellRecord, ...]:
        """Cells that could not be brought to an end."""
        return tuple(cell for cell in self.cells if cell.status == "failed")


def with_cells(record: AblationRecord, cells: tuple[CellRecord, ...]) -> AblationRecord:
    """Record with these cells, and what they come to."""
    return record.model_copy(
        update={
            "cells": cells,
            "by_target": by_target(cells, record.contenders),
            "overall": overall(cells, record.contenders),
        }
    )


def write_ablation(record: AblationRecord, home: Path) -> None:
    """Write ablation.json, whole. Raises: RunError."""
    write(home / ABLATION, readable(document_of(record), where=ABLATION) + b"\n")


def read_ablation(home: Path) -> AblationRecord | None:
    """Comparison in a directory; None where there is none. Raises: RunError."""
    path = home / ABLATION
    if not path.exists():
        return None
    with explained(path):
        content = path.read_bytes()
    return decode(content, AblationRecord, where=str(path))


def document_of(record: AblationRecord) -> Document:
    """JSON document of a comparison."""
    return encode(record, AblationRecord)


def check_same(record: AblationRecord, configuration: Configuration, home: Path) -> None:
    """Refuse to go on with another comparison. Raises: RunError naming the first difference."""
    asked = configuration.document()
    if apart := _difference(record.configuration, asked):
        raise RunError(
            f"{home} holds another comparison: {apart}",
            hint="name another directory with --output",
        )


def _difference(before: Mapping[str, object], after: Mapping[str, object], lead: str = "") -> str:
    """First setting in which two documents differ, and how; "" where none does."""
    for key in (*before, *(key for key in after if key not in before)):
        one, other = before.get(key), after.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            if found := _difference(one, other, f"{lead}{key}."):
                return found
        elif one != other:
            return f"{lead}{key} is {_said(one)}, not {_said(other)}"
    return ""


def _said(value: object) -> str:
    return "not set" if value is None else str(value)

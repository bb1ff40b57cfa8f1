"""What `ap export` shows."""

from typing import TYPE_CHECKING

from ap_core.console import Console
from ap_core.report.amounts import amount
from ap_core.runs.schema import SCHEMA

if TYPE_CHECKING:
    from ap_bench.exporting.export import Exported


def show_exported(console: Console, done: "Exported") -> None:
    """What was written, and how far its outputs are from the network's."""
    request, about = done.request, done.about
    opset = f", opset {request.opset}" if request.opset else ""
    sizes = f"{request.batch_size} images" if request.batch_size else "any number of images"
    rows = [
        ("weights", done.weights),
        ("format", f"{done.to}{opset}, {request.precision}"),
        ("input", f"{sizes}, {' x '.join(map(str, request.input_size))}"),
        ("classes", str(about["num_classes"])),
        ("MACs", amount(int(str(about["macs"])))),
        ("parameters", amount(int(str(about["params"])))),
        ("file", f"{done.bytes / 1e6:.1f} MB"),
        ("largest difference", _difference(done)),
    ]
    console.table(("", "value"), rows, title=str(about["model"]))
    console.result(f"file: {done.path}")


def exported_document(done: "Exported") -> dict[str, object]:
    """JSON of an export; `about` is what the file itself holds."""
    return {
        "schema": SCHEMA,
        "file": str(done.path),
        "run": None if done.run is None else str(done.run),
        "format": done.to,
        "opset": done.request.opset,
        "batch_size": done.request.batch_size,
        "weights": done.weights,
        "about": dict(done.about),
        "bytes": done.bytes,
        "difference": done.difference,
        "tolerance": done.tolerance,
        "seconds": dict(done.seconds),
    }


def _difference(done: "Exported") -> str:
    if done.difference is None:
        return "NOT CHECKED"
    return f"{done.difference:.2g} of the largest output (allowed: {done.tolerance:g})"

"""Conformance of exporters."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import ExportRequest, Precision
from ap_core.exported import TOLERANCE, answers_of, batches_for, difference
from ap_core.plugins.offers import ExporterOffer
from ap_core.testing.requirement import fingerprint, import_torch, require, require_unchanged

if TYPE_CHECKING:
    from torch.nn import Module

    from ap_core.exported import Batch

TYPES = {Precision.FP32: "float32", Precision.FP16: "float16", Precision.BF16: "bfloat16"}
FIXED = 3
"""Size of a fixed batch."""


def check_exporter(
    offer: ExporterOffer, module: "Module", *, input_size: tuple[int, int, int], place: Path
) -> None:
    """Demand of an exporter that it writes its file, writes it again, and changes nothing else; and
    that what its reader answers, in a process of its own, is what the network does.

    In every precision that it offers, for batches of a fixed size and of any; the latter are read.
    module: a network in fp32 that it can export. place: an empty directory.
    """
    require(offer.precisions, "it offers no precision")
    for precision in map(Precision, offer.precisions):
        written = deepcopy(module).to(getattr(import_torch(), TYPES[precision]))
        for batch_size in (None, FIXED):
            request = ExportRequest(
                input_size=input_size,
                batch_size=batch_size,
                precision=precision,
                opset=offer.opset,
                about={"model": "a network"},
            )
            path = place / f".{precision}-{batch_size}.tmp"
            _check_writing(offer, written, request, path)
            if offer.reader and batch_size is None:
                _check_reading(offer.reader, path, module, request)


def _check_writing(
    offer: ExporterOffer, module: "Module", request: ExportRequest, path: Path
) -> None:
    exporter = offer.make()
    before, beside = fingerprint(module), set(path.parent.iterdir())
    exporter(module, request, path)
    require_unchanged(before, module, "the exporter")
    require(path.is_file(), "it did not write the file that was asked for")
    size = path.stat().st_size
    require(size, "it left the file empty")
    others = sorted(p.name for p in set(path.parent.iterdir()) - beside - {path})
    require(not others, f"it left {', '.join(others[:3])} beside the file")
    path.write_bytes(b"old")
    exporter(module, request, path)
    require(path.read_bytes() != b"old", "it keeps a file that is there already")


def _check_reading(reader: str, path: Path, module: "Module", request: ExportRequest) -> None:
    batches = batches_for(request)
    apart = difference(_answers(module, batches), answers_of(reader, path, batches))
    limit = TOLERANCE[request.precision]
    require(
        apart <= limit, f"in {request.precision} the file's outputs differ by {apart:.2g}, at most "
        f"{limit:g} of the largest is allowed"
    )  # fmt: skip


def _answers(module: "Module", batches: Sequence["Batch"]) -> "tuple[Batch, ...]":
    torch = import_torch()
    with torch.inference_mode():
        return tuple(module(torch.from_numpy(batch)).numpy() for batch in batches)

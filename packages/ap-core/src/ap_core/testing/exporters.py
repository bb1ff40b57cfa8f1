"""Conformance of exporters."""

from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import Exporter
from ap_core.testing.requirement import fingerprint, require, require_unchanged

if TYPE_CHECKING:
    from torch.nn import Module


def check_exporter(
    exporter: Exporter, module: "Module", *, input_size: tuple[int, int, int], path: Path
) -> None:
    """Demand of an exporter that it writes its file, writes it again, and changes nothing else.

    module: a network that it can export. path: where, with the offer's suffix; nothing is there.
    """
    before, beside = fingerprint(module), set(path.parent.iterdir())
    exporter(module, input_size=input_size, path=path)
    require_unchanged(before, module, "the exporter")
    require(path.is_file(), f"it wrote no file {path.name}")
    size = path.stat().st_size
    require(size, f"it left {path.name} empty")
    others = sorted(p.name for p in set(path.parent.iterdir()) - beside - {path})
    require(not others, f"it left {', '.join(others[:3])} beside {path.name}")
    path.write_bytes(b"old")
    exporter(module, input_size=input_size, path=path)
    require(path.read_bytes() != b"old", "it keeps a file that is there already")

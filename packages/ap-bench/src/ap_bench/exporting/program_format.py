"""torch.export's own format: one archive that torch alone runs."""

import json
from io import BytesIO
from pathlib import Path

import torch
from torch.nn import Module

from ap_bench.exporting.capture import captured
from ap_core.contracts import ExportRequest

ABOUT = "ap.json"
"""File in the archive that says what those who run it need to know."""


def write_program(module: Module, request: ExportRequest, path: Path) -> None:
    """Write a .pt2 archive. Raises: ModelError as `captured`."""
    program = captured(module, request)
    archive = BytesIO()
    torch.export.save(program, archive, extra_files={ABOUT: json.dumps(dict(request.about))})
    path.write_bytes(archive.getbuffer())

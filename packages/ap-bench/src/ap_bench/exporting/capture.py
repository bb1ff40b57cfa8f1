"""Capturing a network's graph with torch.export, which every format here begins with."""

import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram
from torch.nn import Module

from ap_core.contracts import ExportRequest, Precision
from ap_core.errors import ModelError

TYPES = {
    Precision.FP32: torch.float32,
    Precision.FP16: torch.float16,
    Precision.BF16: torch.bfloat16,
}
EXAMPLES = 2
"""Images that a network which takes any number is captured with: one would be taken for all."""

SPECIALIZED = re.compile(r"your code specialized it to be a constant \(\d+\)")
FIRST_LINE = re.compile(r"\S.*")

CANNOT_RUN = (
    AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What networks raise that cannot be run or captured. NotImplementedError, and what torch raises of
compiling or of memory, are RuntimeErrors."""


def captured(module: Module, request: ExportRequest) -> ExportedProgram:
    """Graph of a network, for batches of any size or of one.

    Raises: ModelError naming what in the network cannot be captured, and the line it is in.
    """
    images = torch.zeros(
        request.batch_size or EXAMPLES, *request.input_size, dtype=TYPES[request.precision]
    )
    sizes = None if request.batch_size else ({0: Dim("batch")},)
    try:
        with silence():
            return torch.export.export(module, (images,), dynamic_shapes=sizes)
    except CANNOT_RUN as error:
        batch = ", or a fixed batch: --batch-size 1" if request.batch_size is None else ""
        raise ModelError(
            f"torch.export cannot follow the {type(module).__name__}: {_reason(error)}",
            hint=f"write that line without looking at the values{batch}",
        ) from error


@contextmanager
def silence() -> Iterator[None]:
    """Let the exporters of torch print and log nothing: they say it again in what they raise."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(before)


def _reason(error: Exception) -> str:
    """What an error says in a line, and the line of the network that it came of."""
    text = str(error)
    said = SPECIALIZED.search(text) or FIRST_LINE.search(text)
    return f"{(said[0] if said else type(error).__name__).rstrip('.')}{_place(error)}"


def _place(error: Exception) -> str:
    """Last line of the traceback that is not torch's; "" where there is none."""
    theirs = (Path(torch.__file__).parent, Path(__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(path.is_relative_to(each) for each in theirs):
            return f", at `{frame.line}` ({path.name}, line {frame.lineno})"
    return ""

"""What an exported file answers: asked in a process of its own, which knows nothing of ap.

The reader of a format is a program of one file. It is called with three paths: of the exported
file; of an .npz that holds batches of images, (n, channels, height, width) float32; and of the .npz
that it is to write, with the outputs under the same names, (n, classes) float32.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from ap_core.contracts import ExportRequest, Precision
from ap_core.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Batch = NDArray[np.float32]

TOLERANCE = {Precision.FP32: 1e-4, Precision.FP16: 1e-2, Precision.BF16: 5e-2}
"""Difference of outputs that is still no error, as a share of the largest output."""

ANY_SIZE = (1, 7)
"""Sizes of the batches that a file is asked about which must take any."""

FINEST, LARGEST = 1 / 32, 4.0
"""Of the images' values: even bf16, with its 8 digits, rounds none of them."""

LINES = 3


def batches_for(request: ExportRequest) -> tuple["Batch", ...]:
    """Random images that the file's precision can hold exactly, the same every time."""
    generator = np.random.default_rng(0)
    sizes = ANY_SIZE if request.batch_size is None else (request.batch_size,)
    return tuple(_images(generator, (size, *request.input_size)) for size in sizes)


def _images(generator: np.random.Generator, shape: tuple[int, ...]) -> "Batch":
    drawn = generator.standard_normal(shape, dtype=np.float32).clip(-LARGEST, LARGEST)
    return ((drawn / FINEST).round() * FINEST).astype(np.float32)


def answers_of(reader: str, file: Path, batches: Sequence["Batch"]) -> tuple["Batch", ...]:
    """Outputs of an exported file, (n, classes) for every batch.

    reader: the module whose source is the program.
    Raises: ModelError with its last words where it fails, and where its outputs are of no use.
    """
    with TemporaryDirectory(prefix="ap-export-") as place:
        asked, answered = Path(place, "images.npz"), Path(place, "outputs.npz")
        np.savez(asked, *batches)
        # -P: the modules beside the program hide no library of the same name.
        done = subprocess.run(
            [sys.executable, "-P", _source_of(reader), file, asked, answered],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            words = " ".join(done.stderr.strip().splitlines()[-LINES:])
            raise ModelError(f"the exported file cannot be run: {words or done.returncode}")
        return _read(reader, answered, len(batches))


def difference(expected: Sequence["Batch"], found: Sequence["Batch"]) -> float:
    """Largest difference of outputs, as a share of the largest one expected; infinite where shapes
    differ, or an output is no number.
    """
    return max(_difference(one, other) for one, other in zip(expected, found, strict=True))


def _difference(expected: "Batch", found: "Batch") -> float:
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    apart = float(np.abs(expected.astype(np.float64) - found).max(initial=0.0))
    return apart / (float(np.abs(expected).max(initial=0.0)) or 1.0)


def _read(reader: str, answered: Path, count: int) -> tuple["Batch", ...]:
    try:
        with np.load(answered) as found:
            return tuple(found[name] for name in _names(count))
    except (OSError, LookupError, ValueError) as error:
        raise ModelError(f"the reader {reader} did not write its outputs: {error}") from error


def _names(count: int) -> tuple[str, ...]:
    """Names that numpy gives to arrays without any."""
    return tuple(f"arr_{number}" for number in range(count))


def _source_of(reader: str) -> Path:
    spec = find_spec(reader)
    if spec is None or spec.origin is None:
        raise ModelError(f"there is no reader {reader}")
    return Path(spec.origin)

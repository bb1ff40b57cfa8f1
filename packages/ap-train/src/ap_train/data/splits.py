"""Splits: which images calibrate, judge, report and train; disjoint, drawn by seed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ap_core.contracts import DataRequest
from ap_core.errors import DataError

IntArray = NDArray[np.int64]

HELD_OUT_SHARE = 0.2
"""Share of the images that judge trials, and as many that report, where no number is given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Indices of images, ascending in every split.

    train holds the calibration images too: calibrating on what was trained on is no harm.
    """

    calibration: IntArray
    held_out: IntArray
    report: IntArray
    train: IntArray

    def record(self) -> Mapping[str, object]:
        """Sizes and digests, for the run."""
        return {
            name: {"images": len(indices), "sha256": hashlib.sha256(indices.tobytes()).hexdigest()}
            for name, indices in vars(self).items()
        }


def draw(labels: Sequence[int], request: DataRequest) -> Splits:
    """Splits of images with these labels, each class in proportion.

    Raises: DataError where there are too few images.
    """
    count = len(labels)
    held_out = request.held_out or int(count * HELD_OUT_SHARE)
    if 2 * held_out >= count or held_out < 1:
        raise DataError(
            f"{count} images are too few to judge on {held_out} and report on as many",
            hint="give more images, or a smaller --held-out",
        )
    order = _interleaved(np.asarray(labels, np.int64), np.random.default_rng(request.seed))
    rest = order[2 * held_out :]
    return Splits(
        held_out=np.sort(order[:held_out]),
        report=np.sort(order[held_out : 2 * held_out]),
        train=np.sort(rest),
        calibration=np.sort(rest[: request.calibration]),
    )


def _interleaved(labels: IntArray, generator: np.random.Generator) -> IntArray:
    """All indices in random order, such that every beginning has the classes in proportion."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        ranks = generator.permutation(len(mine))
        place[mine] = (ranks + generator.random(len(mine))) / len(mine)
    return np.argsort(place, kind="stable").astype(np.int64)

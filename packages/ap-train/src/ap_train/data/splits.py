"""Splits: which images train, calibrate, judge and report; disjoint, drawn by seed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ap_core.contracts import DataRequest, Split
from ap_core.errors import DataError
from ap_train.data.images import IntArray

HELD_OUT_SHARE = 0.2
"""Share of the images that judge trials, and as many that report, where no number is given."""

HELD_OUT_MOST = 10_000
"""Images that judge trials at the most, where no number is given: the error of a top-1 is then
0.4 points, and more would take longer than they tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Numbers of images, ascending in every split; no image is in two."""

    train: IntArray
    calibration: IntArray
    held_out: IntArray
    report: IntArray

    def of(self, split: Split) -> IntArray:
        """Numbers of one split."""
        found: IntArray = getattr(self, split.value)
        return found

    def without(self, numbers: IntArray) -> Self:
        """Same splits less these images."""
        left = {name: np.setdiff1d(held, numbers) for name, held in vars(self).items()}
        return replace(self, **left)

    def record(self) -> Mapping[str, object]:
        """Sizes and digests, for the run."""
        return {
            name: {"images": len(held), "sha256": hashlib.sha256(held.tobytes()).hexdigest()}
            for name, held in vars(self).items()
        }


def draw(labels: IntArray, reserved: IntArray, request: DataRequest) -> Splits:
    """Splits of images with these labels, each class in proportion.

    reserved: images that only report; where there are none, as many report as judge.
    Calibration takes at most half of what is left after that, the rest trains.
    Raises: DataError where there are too few images.
    """
    generator = np.random.default_rng(request.seed)
    order = _interleaved(labels, np.setdiff1d(np.arange(len(labels)), reserved), generator)
    count = len(order)
    held_out = request.held_out or min(int(count * HELD_OUT_SHARE), HELD_OUT_MOST)
    report = order[held_out : 2 * held_out]
    if len(reserved):
        report = _interleaved(labels, reserved, generator)[: request.held_out]
    rest = order[held_out + (0 if len(reserved) else len(report)) :]
    if held_out < 1 or len(rest) < 2 or not len(report):
        raise DataError(
            f"{len(labels)} images are too few to judge on {held_out} and report on as many",
            hint="give more images, or a smaller --held-out",
        )
    calibration = min(request.calibration, len(rest) // 2)
    return Splits(
        train=np.sort(rest[calibration:]),
        calibration=np.sort(rest[:calibration]),
        held_out=np.sort(order[:held_out]),
        report=np.sort(report),
    )


def _interleaved(labels: IntArray, numbers: IntArray, generator: np.random.Generator) -> IntArray:
    """These numbers in random order, such that every beginning has the classes in proportion."""
    place = np.empty(len(numbers))
    for label in np.unique(labels[numbers]):
        mine = np.flatnonzero(labels[numbers] == label)
        ranks = generator.permutation(len(mine))
        place[mine] = (ranks + generator.random(len(mine))) / len(mine)
    ordered: IntArray = numbers[np.argsort(place, kind="stable")]
    return ordered

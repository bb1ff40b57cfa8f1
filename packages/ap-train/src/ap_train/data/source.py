"""A data source over images that can be had by their index."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from ap_core.contracts import DataSource
from ap_train.data.splits import IntArray, Splits

if TYPE_CHECKING:
    from ap_core.contracts import ImageBatch


class TrainingSource(DataSource, Protocol):
    """A data source that can be trained on."""

    def train(self, epoch: int) -> Iterator["ImageBatch"]:
        """Batches of one epoch, in an order that the seed and the epoch decide."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexedSource:
    """Batches of images by index; `image` gives (channels, height, width), prepared.

    details: what the record holds besides the splits.
    """

    num_classes: int
    batch_size: int
    seed: int
    splits: Splits
    labels: IntArray
    image: Callable[[int], Tensor]
    details: Mapping[str, object] = field(default_factory=dict)

    def calibration(self) -> Iterator["ImageBatch"]:
        """Batches to score channels and to re-estimate statistics with."""
        return self._batches(self._mixed(self.splits.calibration, 0))

    def held_out(self) -> Iterator["ImageBatch"]:
        """Batches to judge trials with."""
        return self._batches(self.splits.held_out)

    def report(self) -> Iterator["ImageBatch"]:
        """Batches to report with."""
        return self._batches(self.splits.report)

    def train(self, epoch: int) -> Iterator["ImageBatch"]:
        """Batches of one epoch; the last one is left out where it is not full."""
        order = self._mixed(self.splits.train, epoch + 1)
        full = len(order) // self.batch_size * self.batch_size
        return self._batches(order[: full or len(order)])

    def record(self) -> Mapping[str, object]:
        """Name, place, seed, sizes and digests of the splits."""
        return {**self.details, "seed": self.seed, "splits": self.splits.record()}

    def _mixed(self, indices: IntArray, epoch: int) -> IntArray:
        return np.random.default_rng((self.seed, epoch)).permutation(indices)

    def _batches(self, indices: IntArray) -> Iterator["ImageBatch"]:
        for start in range(0, len(indices), self.batch_size):
            some = indices[start : start + self.batch_size].tolist()
            images = torch.stack([self.image(index) for index in some])
            yield images, torch.from_numpy(self.labels[some])

"""Answers of one network, found by several processes, each on its own images."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import Module
from torch.utils.data import DataLoader, Subset

from ap_core.contracts import Architecture, ImageSet
from ap_core.errors import DataError
from ap_train.data.source import FEW, Prepared
from ap_train.data.source import workers as enough
from ap_train.data.transform import transform_of
from ap_train.measuring.answers import Answers, answers_of

if TYPE_CHECKING:
    from accelerate import Accelerator

    from ap_core.contracts import ImageBatch


def answers_across(
    module: Module,
    images: ImageSet,
    architecture: Architecture,
    accelerator: "Accelerator",
    *,
    batch_size: int,
    workers: int | None = None,
    advance: Callable[[int], None] = lambda _images: None,
) -> Answers:
    """Answers on all images, the same on every process, to the last bit.

    Every process takes every n-th of the batches that one alone would make: no image is padded,
    none counts twice, and each is answered in the same company however many processes there are.
    batch_size: images in one pass of one process. workers: processes that read images; None for
    enough of them.
    advance: is told how many more images of all are done.
    Raises: as `answers_of`; DataError where there are no images.
    """
    if not len(images):
        raise DataError("there are no images to evaluate on")
    count, whole = accelerator.num_processes, torch.zeros(3, len(images), dtype=torch.float64)
    starts = range(accelerator.process_index * batch_size, len(images), count * batch_size)
    mine = [place for start in starts for place in range(start, start + batch_size)]
    mine = [place for place in mine if place < len(images)]
    if mine:
        prepared = Prepared(images=images, transform=transform_of(architecture, sized=images.sized))
        automatic = 0 if images.sized or len(mine) < FEW else enough()
        loader: Iterable[ImageBatch] = DataLoader(
            Subset(prepared, mine),
            batch_size=batch_size,
            num_workers=automatic if workers is None else workers,
        )
        found = answers_of(module, _told(loader, advance, count * batch_size, len(images)))
        whole[:, mine] = torch.from_numpy(np.stack([found.labels, found.ranks, found.losses]))
    if count > 1:
        whole = accelerator.reduce(whole.to(accelerator.device), reduction="sum").cpu()
    labels, ranks, losses = whole.numpy()
    return Answers(labels=labels.astype(np.int64), ranks=ranks.astype(np.int64), losses=losses)


def _told(
    loader: "Iterable[ImageBatch]", advance: Callable[[int], None], together: int, total: int
) -> "Iterator[ImageBatch]":
    """Batches of the main process; after each, all have done theirs. together: images of all."""
    for done, batch in zip(range(0, total, together), loader, strict=False):
        yield batch
        advance(min(together, total - done))

"""Answers of one network, found by several processes, each on its own images."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import Module
from torch.utils.data import DataLoader, Subset

from ap_core.contracts import Architecture, ImageSet
from ap_train.data.source import FEW, Prepared, workers
from ap_train.data.transform import transform_of
from ap_train.evaluation.answers import Answers, answers_of

if TYPE_CHECKING:
    from accelerate import Accelerator


def answers_across(
    module: Module,
    images: ImageSet,
    architecture: Architecture,
    accelerator: "Accelerator",
    *,
    batch_size: int,
    processes: int | None = None,
) -> Answers:
    """Answers on all images, the same on every process.

    Every process takes every n-th image, so that none is padded and none counts twice.
    batch_size: images in one pass of one process. processes: that read images; None for enough.
    Raises: as `answers_of`; DataError where there are fewer images than processes.
    """
    prepared = Prepared(images=images, transform=transform_of(architecture, sized=images.sized))
    mine = range(accelerator.process_index, len(images), accelerator.num_processes)
    automatic = 0 if images.sized or len(mine) < FEW else workers()
    loader = DataLoader(
        Subset(prepared, mine),
        batch_size=batch_size,
        num_workers=automatic if processes is None else processes,
    )
    found = answers_of(module, loader)
    if accelerator.num_processes == 1:
        return found
    whole = torch.zeros(3, len(images), dtype=torch.float64)
    whole[:, list(mine)] = torch.from_numpy(np.stack([found.labels, found.ranks, found.losses]))
    summed = accelerator.reduce(whole.to(accelerator.device), reduction="sum").cpu().numpy()
    return Answers(
        labels=summed[0].astype(np.int64), ranks=summed[1].astype(np.int64), losses=summed[2]
    )

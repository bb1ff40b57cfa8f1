"""Re-estimating the statistics of batch norms: a cut changes what they normalise."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import torch
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm

from ap_core.contracts import DataSource
from ap_core.errors import DataError
from ap_train.measuring.answers import evaluating


def reestimate(module: Module, data: DataSource) -> str:
    """Replace running statistics by the mean over the calibration batches; nothing else changes.

    Batches of one image are left out: some norms could make nothing of them.
    Raises: DataError where there are no larger ones.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return ""
    batches = (images for images, _ in data.calibration() if len(images) > 1)
    first = next(batches, None)
    if first is None:
        raise DataError(
            "there is no calibration batch of two images or more, to re-estimate statistics with",
            hint="give a larger --batch-size, or --recover none",
        )
    place, count = next(module.parameters()).device, 0
    with evaluating(module), torch.no_grad(), _averaging(norms):
        for images in chain([first], batches):
            module(images.to(place))
            count += 1
    return f"statistics of {len(norms)} batch norms re-estimated over {count} batches"


@contextmanager
def _averaging(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Statistics start afresh and every batch counts alike; momenta are as before afterwards."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

"""Re-estimating the statistics of batch norms: a cut changes what they normalise."""

import torch
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm

from ap_core.contracts import DataSource
from ap_train.evaluation import evaluating


def reestimate(module: Module, data: DataSource) -> str:
    """Replace running statistics by the mean over the calibration batches; nothing else changes.

    The momentum is off meanwhile: every batch counts alike.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return ""
    momenta = [norm.momentum for norm in norms]
    batches = 0
    with evaluating(module), torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        for images, _ in data.calibration():
            module(images)
            batches += 1
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return f"statistics of {len(norms)} batch norms re-estimated over {batches} batches"

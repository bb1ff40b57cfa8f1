"""Importances that look at how the loss changes with the weights; they need data."""

from torch import Generator, Tensor

from ap_core.contracts import LayerSlice
from ap_models.importances.magnitude import MAPS


def taylor(part: LayerSlice, generator: Generator) -> Tensor | None:  # noqa: ARG001
    """Size of the first-order change of the loss when a channel's weights become zero.

    The absolute value of the sum of weight times gradient over all weights of the channel, with
    the bias where the layer makes the channel; summed over batches.
    Source: Molchanov et al. 2019, arXiv:1906.10771, equation 8 (the square left out).
    """
    change = _first_order(part)
    return None if change is None else change.abs()


def fisher(part: LayerSlice, generator: Generator) -> Tensor | None:  # noqa: ARG001
    """Second-order change of the loss when a channel goes, by the diagonal Fisher information.

    The square of the sum of weight times gradient, summed over batches: of the mean gradient of a
    batch, not of each image's, so small batches come nearer to the Fisher information.
    Source: Theis et al. 2018, arXiv:1801.05787, equation 7; after LeCun et al. 1990, "Optimal
    brain damage".
    """
    change = _first_order(part)
    return None if change is None else change.square()


def _first_order(part: LayerSlice) -> Tensor | None:
    """Sum of weight times gradient of every channel, shape (channels,), in float64."""
    if part.role not in MAPS or part.gradient is None:
        return None
    change = (part.weight * part.gradient).double().sum(dim=1)
    if part.bias is not None and part.bias_gradient is not None:
        change = change + (part.bias * part.bias_gradient).double()
    return change

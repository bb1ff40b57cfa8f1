"""Accuracy of a classifier on held-out images."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.nn import Module
from torch.nn.functional import cross_entropy

from ap_core.contracts import DataSource
from ap_core.errors import DataError, ModelError


def measure_accuracy(
    module: Module,
    *,
    input_size: tuple[int, int, int],  # noqa: ARG001
    data: DataSource | None,
) -> Mapping[str, int | float]:
    """Mean cross-entropy, top-1 and top-5 (shares), and the number of images.

    Raises: DataError where there are no images, ModelError where an output is not a number.
    """
    if data is None:
        raise DataError("accuracy needs data", hint="give images with --data")
    images, loss, first, fifth = 0, 0.0, 0, 0
    with evaluating(module), torch.inference_mode():
        for batch, labels in data.held_out():
            output = module(batch).float()
            loss += float(cross_entropy(output, labels, reduction="sum"))
            best = output.topk(min(5, output.shape[1]), dim=1).indices == labels[:, None]
            first += int(best[:, 0].sum())
            fifth += int(best.any(dim=1).sum())
            images += len(labels)
    if not images:
        raise DataError("there are no held-out images")
    if loss != loss or loss == float("inf"):
        raise ModelError("the network's output on a held-out image is not a number")
    return {
        "images": images,
        "loss": loss / images,
        "top1": first / images,
        "top5": fifth / images,
    }


@contextmanager
def evaluating(module: Module) -> Iterator[None]:
    """Evaluation mode inside the block; every module's own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training

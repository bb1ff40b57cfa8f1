"""What a network answers, image by image."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy

from ap_core.contracts import DataSource
from ap_core.errors import DataError, ModelError

if TYPE_CHECKING:
    from ap_core.contracts import ImageBatch

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Answers on n images, in their order.

    labels: (n,). ranks: how many classes were thought more likely than the true one, (n,).
    losses: cross-entropy, (n,).
    """

    labels: IntArray
    ranks: IntArray
    losses: FloatArray

    @property
    def top1(self) -> NDArray[np.bool_]:
        """Whether the true class came first, (n,)."""
        hits: NDArray[np.bool_] = self.ranks == 0
        return hits

    @property
    def top5(self) -> NDArray[np.bool_]:
        """Whether the true class was among the first five, (n,)."""
        hits: NDArray[np.bool_] = self.ranks < 5
        return hits

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """Answers of one part after the other. Raises: DataError where there are none."""
        parts = list(parts)
        if not parts:
            raise DataError("there are no images to evaluate on")
        return cls(
            labels=np.concatenate([part.labels for part in parts]),
            ranks=np.concatenate([part.ranks for part in parts]),
            losses=np.concatenate([part.losses for part in parts]),
        )

    def summary(self) -> dict[str, int | float]:
        """Number of images, mean loss, top-1 and top-5 (shares)."""
        return {
            "images": len(self.labels),
            "loss": float(self.losses.mean()),
            "top1": float(self.top1.mean()),
            "top5": float(self.top5.mean()),
        }


def answers_of(module: Module, batches: Iterable["ImageBatch"]) -> Answers:
    """Answers on all images, in evaluation mode, on the network's own device.

    Raises: DataError where there are no images or a label names no class; ModelError where an
    output is not a number.
    """
    place = next(module.parameters()).device
    with evaluating(module), torch.inference_mode():
        return Answers.joined(
            _answers(module(images.to(place)), labels.to(place)) for images, labels in batches
        )


def measure_accuracy(
    module: Module,
    *,
    input_size: tuple[int, int, int],  # noqa: ARG001
    data: DataSource | None,
) -> Mapping[str, int | float]:
    """Mean cross-entropy, top-1 and top-5 (shares), and the number of images, held out.

    Raises: DataError where there are no images, ModelError where an output is not a number.
    """
    if data is None:
        raise DataError("accuracy needs data", hint="give images with --data")
    return answers_of(module, data.held_out()).summary()


def _answers(output: Tensor, labels: Tensor) -> Answers:
    logits = output.float()
    _check(logits, labels)
    own = logits.gather(1, labels[:, None])
    before = torch.arange(logits.shape[1], device=labels.device) < labels[:, None]
    # Of classes that are thought equally likely, the first one is the answer.
    better = (logits > own) | ((logits == own) & before)
    return Answers(
        labels=labels.cpu().numpy(),
        ranks=better.sum(dim=1).cpu().numpy(),
        losses=cross_entropy(logits, labels, reduction="none").double().cpu().numpy(),
    )


def _check(logits: Tensor, labels: Tensor) -> None:
    classes = logits.shape[1]
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise DataError(
            f"labels reach from {int(labels.min())} to {int(labels.max())}, "
            f"but the network knows {classes} classes",
            hint="say --num-classes, or take the data that the model was trained on",
        )
    if not bool(logits.isfinite().all()):
        raise ModelError("the network's output on an image is not a number")


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

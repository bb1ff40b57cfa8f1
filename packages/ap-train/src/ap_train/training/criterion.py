"""The loss: of labels, and of what a teacher says."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from ap_core.contracts import Architecture
from ap_core.errors import ModelError
from ap_core.preprocessing import preprocessing_of
from ap_train.training.options import TrainOptions

Output = Tensor | tuple[Tensor, Tensor]
"""Logits (n, classes); of a distilled transformer in training, those of both its heads."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A trained network to learn from, and how its images are normalised."""

    module: Module
    architecture: Architecture

    def logits(self, images: Tensor, student: Architecture) -> Tensor:
        """Logits (n, classes) for images that are normalised as the student wants them."""
        with torch.no_grad():
            said: Tensor = self.module(_renormalised(images, student, self.architecture))
        return said


def learnt_from(teacher: Teacher | None, options: TrainOptions) -> Teacher | None:
    """The teacher, where anything is learnt from it."""
    return None if options.distillation == "none" else teacher


def check_teacher(teacher: Teacher, student: Architecture) -> None:
    """Refuse a teacher of other classes, or that sees other images. Raises: ModelError."""
    theirs, name = teacher.architecture, teacher.architecture.name
    if theirs.num_classes != student.num_classes:
        raise ModelError(
            f"the teacher {name} knows {theirs.num_classes} classes, the network "
            f"{student.num_classes}",
            hint="take a teacher that was trained on the same classes",
        )
    if theirs.input_size != student.input_size:
        raise ModelError(
            f"the teacher {name} sees images of {_spelt(theirs)}, the network {_spelt(student)}",
            hint="take a teacher that sees images of the same size and channels",
        )


def _spelt(architecture: Architecture) -> str:
    return " x ".join(map(str, architecture.input_size))


def loss_of(
    output: Output, targets: Tensor, taught: Tensor | None, options: TrainOptions
) -> Tensor:
    """Mean loss over the images of one pass, a scalar.

    targets: (n,) labels, or (n, classes) shares where images were mixed.
    taught: the teacher's logits, (n, classes). A distilled transformer learns them with its second
    head, any other network with its only one.
    Source: Hinton et al. 2015, arXiv:1503.02531 (soft); Touvron et al. 2021, arXiv:2012.12877,
    section 4 (hard, and the second head).
    """
    own, pupil = output if isinstance(output, tuple) else (output, output)
    smoothing = options.smoothing if targets.ndim == 1 else 0.0
    loss = cross_entropy(own.float(), targets, label_smoothing=smoothing)
    if taught is None:
        return loss
    alpha = options.distillation_alpha
    return (1 - alpha) * loss + alpha * _distilled(pupil.float(), taught.float(), options)


def _distilled(pupil: Tensor, taught: Tensor, options: TrainOptions) -> Tensor:
    if options.distillation == "hard":
        return cross_entropy(pupil, taught.argmax(dim=1))
    tau = options.distillation_tau
    said, wanted = log_softmax(pupil / tau, dim=1), log_softmax(taught / tau, dim=1)
    return kl_div(said, wanted, reduction="batchmean", log_target=True) * tau**2


def _renormalised(images: Tensor, before: Architecture, after: Architecture) -> Tensor:
    (mean, std), (new_mean, new_std) = _normalisation(before), _normalisation(after)
    if (mean, std) == (new_mean, new_std):
        return images

    def shaped(values: tuple[float, ...]) -> Tensor:
        return images.new_tensor(values).reshape(1, -1, 1, 1)

    return (images * shaped(std) + shaped(mean) - shaped(new_mean)) / shaped(new_std)


def _normalisation(architecture: Architecture) -> tuple[tuple[float, ...], tuple[float, ...]]:
    known = preprocessing_of(architecture)
    return known["mean"], known["std"]  # type: ignore[return-value]

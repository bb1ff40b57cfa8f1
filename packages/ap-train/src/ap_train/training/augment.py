"""What is done to images and labels before a network learns from them; timm's own means."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ap_core.contracts import Architecture, ImageSet
from ap_core.errors import UsageError, unknown_name
from ap_core.preprocessing import preprocessing_of
from ap_train.training.batches import seeded
from ap_train.training.options import TrainOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

POLICIES = ("rand", "augmix", "original", "originalr", "v0", "v0r", "3a")
"""What a policy's name begins with; timm knows others by an assertion only."""

Mix = Callable[["Tensor", "Tensor", int], "tuple[Tensor, Tensor]"]
"""Images (n, ...), labels (n,) and a seed to mixed images and targets (n, classes)."""


def augmentation_of(
    options: TrainOptions, architecture: Architecture, images: ImageSet
) -> "Callable[[Image], Tensor]":
    """timm's training transform: crop, mirror, augment, normalise, erase.

    Raises: UsageError for a policy that timm does not know.
    """
    from timm.data import create_transform

    policy = options.auto_augment
    if policy and policy.split("-")[0] not in POLICIES:
        raise unknown_name("augmentation policy", policy.split("-")[0], POLICIES)
    known = preprocessing_of(architecture)
    hflip = options.hflip
    if hflip is None:
        hflip = 0.5 if images.mirrors else 0.0
    try:
        made: Callable[[Image], Tensor] = create_transform(
            architecture.input_size,
            is_training=True,
            scale=(options.min_scale, 1.0),
            hflip=hflip,
            color_jitter=options.color_jitter or None,
            auto_augment=policy,
            re_prob=options.random_erasing,
            re_mode="pixel",
            interpolation=str(known.get("interpolation", "bicubic")),
            mean=known["mean"],
            std=known["std"],
        )
    except (AssertionError, ValueError) as error:
        raise UsageError(
            f"--auto-augment {policy} is no policy of timm's: {error}",
            hint="write it like rand-m9-mstd0.5-inc1, augmix-m3 or original-mstd0.5",
        ) from error
    return made


def mixing_of(options: TrainOptions, num_classes: int) -> Mix | None:
    """timm's mixup and cutmix, seeded; None where neither is on."""
    if not options.mixes:
        return None
    from timm.data import Mixup

    mixup = Mixup(
        mixup_alpha=options.mixup,
        cutmix_alpha=options.cutmix,
        prob=options.mixup_prob,
        switch_prob=options.mixup_switch_prob,
        label_smoothing=options.smoothing,
        num_classes=num_classes,
    )

    def mix(images: "Tensor", labels: "Tensor", seed: int) -> "tuple[Tensor, Tensor]":
        with seeded(seed):
            mixed, targets = mixup(images, labels)
        return mixed, targets

    return mix

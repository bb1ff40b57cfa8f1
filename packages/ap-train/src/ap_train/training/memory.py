"""Running out of memory: how many images would fit."""

import gc
from collections.abc import Callable

import torch

from ap_core.errors import ModelError


def release() -> None:
    """Give back what a failed pass left behind."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fitting(attempt: Callable[[int], None], failed: int) -> int:
    """Largest number of images, halved from one that failed, that a pass has memory for; 0 if none.

    attempt: runs a pass forward and backward with so many images.
    """
    images = failed // 2
    while images:
        release()
        try:
            attempt(images)
        except torch.OutOfMemoryError:
            images //= 2
            continue
        return images
    return 0


def out_of_memory(failed: int, fits: int, passes: int) -> ModelError:
    """Error that says what would fit. passes: that an update is split into."""
    if not fits:
        return ModelError(
            f"memory runs out with {failed} images in a pass, and with a single one",
            hint="give a smaller --input-size, or --amp bf16",
        )
    return ModelError(
        f"memory runs out with {failed} images in a pass; {fits} fit",
        hint=f"--accumulate {passes * failed // fits} splits updates into such passes, "
        "--auto-batch does so of itself",
    )

"""Running out of memory: what would fit."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ap_core.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class OutOfMemory:
    """A pass that there was no memory for. images: in that pass."""

    images: int

    def untried(self) -> ModelError:
        """Error that cannot say what would fit."""
        return ModelError(
            f"memory runs out with {self.images} images in a pass",
            hint="split updates into more passes with --accumulate",
        )


def ran_out(error: RuntimeError) -> bool:
    """Whether an error means that there was no memory: each device says it in its own words."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def release() -> None:
    """Give back what a failed pass left behind. Its error must be gone: it holds the tensors."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


def fits(attempt: Callable[[int], None], images: int) -> bool:
    """Whether a pass has memory for so many images. attempt: runs one forward and backward."""
    release()
    try:
        attempt(images)
    except RuntimeError as error:
        if not ran_out(error):
            raise
        return False
    return True


def out_of_memory(failed: int, fitting: int | None, accumulate: int) -> ModelError:
    """Error that says what would fit.

    failed, fitting: images in a pass, None where no number of them fits.
    accumulate: passes of an update that would fit.
    """
    if fitting is None:
        return ModelError(
            f"memory runs out with {failed} images in a pass, and with any fewer",
            hint="prune with a smaller --input-size, or give --amp bf16",
        )
    return ModelError(
        f"memory runs out with {failed} images in a pass; {fitting} fit",
        hint=f"--accumulate {accumulate} splits updates into such passes, "
        "--auto-batch does so of itself",
    )

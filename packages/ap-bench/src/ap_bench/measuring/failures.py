"""What networks raise where they cannot be run, as errors that say what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch

from ap_bench.exporting.capture import CANNOT_RUN
from ap_bench.measuring.prepared import Prepared
from ap_bench.measuring.settings import CPU, Backend, Settings
from ap_core.errors import ModelError, UsageError

FULL = ("can't allocate memory", "Failed to allocate memory", "bad allocation", "out of memory")
"""What is said where memory ran out: by torch on a CPU, and by onnxruntime."""

SPARE = "take a smaller --batch-size"


@contextmanager
def explained(
    name: str, settings: Settings, *, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what running a network raises into a ModelError. also: what else its backend raises."""
    caught: tuple[type[Exception], ...] = (*CANNOT_RUN, MemoryError, *also)
    try:
        yield
    except caught as error:
        if ran_out(error):
            raise does_not_fit(name, settings, None) from error
        reason = first_line(error)
        if settings.backend is Backend.COMPILE:
            raise ModelError(
                f"{name} cannot be compiled ({settings}): {reason}",
                hint="take --backend eager; -v shows what the compiler said",
            ) from error
        raise ModelError(
            f"{name} cannot be run ({settings}, {settings.backend}): {reason}",
            hint="try --dtype fp32 or another --backend; -v shows where it failed",
        ) from error


def prepared_explaining(
    prepare: Callable[[], Prepared],
    name: str,
    settings: Settings,
    *,
    also: tuple[type[Exception], ...] = (),
) -> Prepared:
    """What `prepare` makes; what it raises, and what the network raises later on, is explained.

    also: as `explained`. Raises: ModelError.
    """
    explain = partial(explained, name, settings, also=also)
    with explain():
        return replace(prepare(), explain=explain)


def ran_out(error: BaseException) -> bool:
    """Whether this says that memory ran out."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error) for words in FULL
    )


def does_not_fit(name: str, settings: Settings, fits: int | None) -> ModelError:
    """Error for a batch that is too large. fits: one that is not; 0 for none, None if unknown."""
    where = "memory" if settings.device == CPU else f"the memory of {settings.device}"
    what = f"{name} with a batch of {settings.batch_size:,} does not fit in {where}"
    if fits == 0:
        return ModelError(f"{what}, nor does one image", hint="measure it on another device")
    return ModelError(what, hint=SPARE if fits is None else f"--batch-size {fits} fits")


def largest_that_fits(attempt: Callable[[int], object], batch_size: int) -> int:
    """Largest of the halves of a batch that fits; 0 where one image does not.

    attempt: runs a batch of so many, and raises torch's OutOfMemoryError where it does not fit.
    """
    while batch_size := batch_size // 2:
        try:
            attempt(batch_size)
        except torch.OutOfMemoryError:
            continue
        return batch_size
    return 0


def wrong_dtype(name: str, own: str, settings: Settings) -> UsageError:
    """Error for a file of another type than is asked for."""
    return UsageError(f"{name} is of {own}: it cannot be run in {settings.dtype}",
                      hint=f"take --dtype {own}, or export it anew")  # fmt: skip


def wrong_batch(name: str, own: int, settings: Settings) -> UsageError:
    """Error for a file that takes batches of another size."""
    return UsageError(
        f"{name} takes batches of {own} only, not of {settings.batch_size}",
        hint=f"take --batch-size {own}, or export it with a batch size that may change",
    )


def first_line(error: BaseException) -> str:
    """What an error says, in short."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__

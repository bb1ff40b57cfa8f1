"""Trackers of accelerate: tensorboard, wandb and others, off unless asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.errors import UsageError
from ap_core.runs.records import EpochRecord
from ap_train.finetuning.options import FinetuneOptions

if TYPE_CHECKING:
    from accelerate import Accelerator

PROJECT = "ap"


@contextmanager
def tracker(
    name: str, accelerator: "Accelerator", place: Path, options: FinetuneOptions
) -> Iterator[Callable[[EpochRecord], None]]:
    """Function that logs an epoch. name: "" for none. place: for trackers that write files.

    Raises: UsageError where the tracker's library is not installed.
    """
    if not name:
        yield lambda _epoch: None
        return
    check_tracker(name)
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    settings = {key: str(value) for key, value in options.training.model_dump().items()}
    made = None
    if accelerator.is_main_process:
        kind = LOGGER_TYPE_TO_CLASS[name]
        made = kind(PROJECT, place) if kind.requires_logging_directory else kind(PROJECT)
        made.start()
        made.store_init_configuration(settings)

    def log(epoch: EpochRecord) -> None:
        if made is not None:
            made.log(epoch.model_dump(exclude={"epoch"}), step=epoch.epoch)

    try:
        yield log
    finally:
        if made is not None:
            made.finish()


def check_tracker(name: str) -> None:
    """See that a tracker can be had. Raises: UsageError."""
    from accelerate.tracking import get_available_trackers

    known = sorted(str(each) for each in get_available_trackers())
    if name and name not in known:
        there = ", ".join(known) or "none"
        raise UsageError(
            f"the tracker {name!r} is not to be had here",
            hint=f"pip install {name}; there: {there}",
        )

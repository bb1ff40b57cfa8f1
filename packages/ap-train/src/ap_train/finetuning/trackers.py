"""Trackers of accelerate: tensorboard, wandb and others, off unless asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.errors import UsageError, unknown_name
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

    Raises: UnknownNameError, UsageError where it cannot be had.
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
    """See that a tracker can be had; "" for none. Raises: UnknownNameError, UsageError."""
    if not name:
        return
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
    from accelerate.utils import LoggerType

    if name not in LOGGER_TYPE_TO_CLASS:
        raise unknown_name("tracker", name, LOGGER_TYPE_TO_CLASS)
    there = sorted(str(each) for each in get_available_trackers())
    # Those that others registered have no library to be missed.
    if name in LoggerType.list() and name not in there:
        raise UsageError(
            f"the tracker {name!r} is not installed",
            hint=f"pip install {name}; there: {', '.join(there) or 'none'}",
        )

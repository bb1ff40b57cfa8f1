"""Errors that a user can act on: shown in one line, without a traceback; anything else is a bug."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit status of the `ap` command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    OUT_OF_REACH = 3
    PLUGIN = 4
    LLM = 5
    BUG = 70


class ApError(Exception):
    """Expected failure: what went wrong and where (`message`), what to do about it (`hint`)."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ApError):
    """Arguments that make no sense, or do not go together."""

    exit_code = ExitCode.USAGE


class UnknownNameError(UsageError):
    """A name that nobody offers; the hint holds the nearest ones."""


class OutOfReachError(ApError):
    """A budget that no plan can meet; the hint holds the reachable range."""

    exit_code = ExitCode.OUT_OF_REACH


class PluginError(ApError):
    """A plugin that failed, or two that clash."""

    exit_code = ExitCode.PLUGIN


class LlmError(ApError):
    """An LLM service that failed where no fallback was allowed."""

    exit_code = ExitCode.LLM


class ModelError(ApError):
    """A network that cannot be loaded, traced or cut."""


class CheckpointError(ModelError):
    """A weights file that is missing, damaged or foreign."""


class DataError(ApError):
    """A data set that cannot be read, or is of no use for the task."""


class ClassesError(DataError):
    """Data of another number of classes than the network's."""


class RunError(ApError):
    """A run directory that is in use, damaged, or cannot be written."""


@contextmanager
def hinted(kind: type[ApError], rephrase: Callable[[str], str]) -> Iterator[None]:
    """Let errors of this kind in the block say what to do in the words of the use case.

    rephrase: the new hint, of the one that the error has.
    """
    try:
        yield
    except kind as error:
        error.hint = rephrase(error.hint)
        raise


class Interrupted(KeyboardInterrupt):
    """An interrupt of work on a run. path: of its directory, or of that of several runs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, also: Iterable[str] = ()
) -> UnknownNameError:
    """Error that names the nearest of the known names.

    kind: what is named, in the singular: "model", "importance".
    also: what else can be typed, in words.
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    listed = ", ".join((*known[:12], *also))
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {listed}"
    return UnknownNameError(f"unknown {kind} {name!r}", hint=hint)

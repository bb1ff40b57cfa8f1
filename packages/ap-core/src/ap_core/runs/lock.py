"""One writer per run directory; the lock of a process that died is free."""

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout

from ap_core.errors import RunError
from ap_core.runs.files import explained, write

LOCK = ".lock"
OWNER = ".owner"
PATIENCE = 0.5
"""Seconds to wait, since somebody who lists runs holds the lock for an instant."""


class RunLock:
    """Exclusive right to write to a run directory, held from `acquire` to `release`.

    The system frees it when the process ends, however it ends; forked children do not inherit it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = FileLock(directory / LOCK, thread_local=False)

    def acquire(self) -> None:
        """Take the lock. Raises: RunError naming the process that has it."""
        with explained(self._directory):
            try:
                self._lock.acquire(timeout=PATIENCE)
            except Timeout:
                raise RunError(
                    f"{self._directory} is in use by process {_owner(self._directory)}",
                    hint="wait until it ends, or name another directory",
                ) from None
        try:
            write(self._directory / OWNER, json.dumps({"pid": os.getpid()}).encode())
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        self._lock.release()


def is_held(directory: Path) -> bool:
    """Whether a living process writes to this run directory; True where nobody can tell."""
    if not (directory / LOCK).is_file():
        return False
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _owner(directory: Path) -> str:
    try:
        return str(json.loads((directory / OWNER).read_bytes())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return "(unknown)"

"""Files that are whole or not there: written beside their place, synced, renamed."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from safetensors import SafetensorError

from ap_core.errors import RunError

TEMPORARY = re.compile(r"\..+\.[0-9]+\.tmp")
"""Names that `replacing` writes to: that of the file, and of the process."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what is written there takes its place.

    The file gets the mode that a new one has here, whoever writes it: safetensors would keep it to
    its owner. Where the body or the disk fails, `path` is what it was before. Raises: RunError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Try whether a directory, or the nearest one above it that there is, can be written to.

    Leaves nothing behind. Raises: RunError.
    """
    with explained(path):
        place = next(each for each in (path, *path.absolute().parents) if each.exists())
        NamedTemporaryFile(prefix=".", suffix=f".{os.getpid()}.tmp", dir=place).close()


def write(path: Path, content: bytes) -> None:
    """Put a file in its place, whole. Raises: RunError."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def append(path: Path, line: bytes) -> None:
    """Add a line (without its end) and sync it; a line that does not fit is taken back.

    Raises: RunError.
    """
    with explained(path):
        new = not path.exists()
        with path.open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                _write_all(file.fileno(), line + b"\n")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise
        if new:
            _sync(path.parent)


def drop_torn_line(path: Path) -> bool:
    """Cut off a last line without an end, as a kill in the middle of an append leaves it.

    Returns whether there was one. Raises: RunError.
    """
    with explained(path), path.open("rb+") as file:
        content = file.read()
        end = content.rfind(b"\n") + 1
        if end == len(content):
            return False
        file.truncate(end)
        os.fsync(file.fileno())
        return True


def sweep(directory: Path) -> None:
    """Remove the temporary files that a killed process left. Raises: RunError."""
    with explained(directory):
        for path in directory.rglob(".*.tmp"):
            if is_temporary(path):
                path.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether a file of this name is one that `replacing` wrote to."""
    return TEMPORARY.fullmatch(path.name) is not None


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system refuses while `path` is written into a RunError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot write {path}: {reason}", hint=_hint(error.errno)) from error
    except SafetensorError as error:
        full = "No space left" in str(error)
        hint = _hint(errno.ENOSPC if full else None)
        raise RunError(f"cannot write {path}: {error}", hint=hint) from error


def _hint(number: int | None) -> str:
    match number:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "make room on the disk; what was there before is untouched"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "name a directory that you may write to"
        case errno.EEXIST | errno.ENOTDIR:
            return "name a path where no file is in the way"
        case _:
            return ""


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

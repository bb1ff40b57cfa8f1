"""What the disk and the system refuse: said clearly, and nothing is lost."""

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from run_samples import BUDGET, record, trial

from ap_core.errors import RunError
from ap_core.runs.directory import RunDirectory, check_place
from ap_core.runs.files import append, explained, write
from ap_core.scores import Scores

ROOM = "make room on the disk; what was there before is untouched"
NOBODY = 65534


@pytest.fixture
def small_disk():
    """A disk of 64 KiB, where one may be mounted."""
    with tempfile.TemporaryDirectory() as place:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a disk here")
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", place], check=True)


@contextmanager
def files_of_at_most(size):
    """Let no file grow beyond this many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def foreign():
    """A directory that this process may not write to."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "home"
        path.mkdir()
        (path / "run.json").write_text("{}")
        Path(place).chmod(0o555)
        path.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield path
        finally:
            if root:
                os.seteuid(0)
            Path(place).chmod(0o755)
            path.chmod(0o755)


def test_a_full_disk_is_said_and_what_was_there_stays(small_disk):
    with RunDirectory.create(small_disk / "run", model="toy", budget=BUDGET) as run:
        run.write_record(record())
        run.append_trial(trial(0))
        huge = record(options={"text": "x" * 100_000})
        with pytest.raises(RunError, match=r"run\.json: No space left on device") as caught:
            run.write_record(huge)
        assert caught.value.hint == ROOM
        with pytest.raises(RunError, match="No space left on device"):
            run.append_trial(trial(1, note="x" * 100_000))
        values = {"g": np.ones((1, 10_000))}
        with pytest.raises(RunError, match="No space left on device") as caught:
            run.save_scores(Scores(importance="l2", reduction="mean", values=values))
        assert caught.value.hint == ROOM
        assert run.record() == record()
        assert run.trials() == (trial(0),)
        assert not list(run.path.rglob("*.tmp"))
        run.append_trial(trial(1))
        assert len(run.trials()) == 2


def test_a_file_that_may_not_grow_stays_what_it_was(tmp_path):
    path = tmp_path / "file"
    write(path, b"old")
    with files_of_at_most(1000):
        with pytest.raises(RunError, match=r"cannot write .*: File too large") as caught:
            write(path, b"x" * 2000)
        assert caught.value.hint == ROOM
        with pytest.raises(RunError, match="File too large"):
            append(path, b"x" * 2000)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_line_is_written_whole_though_the_system_takes_it_in_pieces(tmp_path):
    path = tmp_path / "journal"
    append(path, b"x" * 3_000_000)
    append(path, b"y")
    assert path.read_bytes() == b"x" * 3_000_000 + b"\ny\n"


def test_a_directory_that_cannot_be_written_is_refused(foreign):
    for attempt in (
        lambda: RunDirectory.create(foreign / "run", model="toy", budget=BUDGET),
        lambda: RunDirectory.create(None, model="toy", budget=BUDGET, home=foreign),
        lambda: RunDirectory.create(None, model="toy", budget=BUDGET, home=foreign.parent / "x"),
        lambda: RunDirectory.resume(foreign, note=print),
    ):
        with pytest.raises(RunError, match=r"cannot write .*: Permission denied") as caught:
            attempt()
        assert caught.value.hint == "name a directory that you may write to"


def test_a_file_in_the_way_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    for attempt in (
        lambda: RunDirectory.create(path, model="toy", budget=BUDGET),
        lambda: RunDirectory.create(path / "below", model="toy", budget=BUDGET),
        lambda: RunDirectory.create(None, model="toy", budget=BUDGET, home=path),
    ):
        with pytest.raises(RunError, match="cannot write") as caught:
            attempt()
        assert caught.value.hint == "name a path where no file is in the way"
    with pytest.raises(RunError, match="no run directory"):
        RunDirectory.open(path)
    assert path.read_text() == "mine"


def test_a_place_that_would_be_refused_is_refused_before_it_is_made(tmp_path):
    used = tmp_path / "used"
    used.mkdir()
    file = used / "file"
    file.write_text("mine")
    for place, why in (
        (used, "is not empty"),
        (file, "cannot write .*: Not a directory"),
        (file / "below", "cannot write .*: Not a directory"),
    ):
        with pytest.raises(RunError, match=why) as caught:
            check_place(place)
        assert caught.value.hint.startswith("name ")
    assert [each.name for each in tmp_path.rglob("*")] == ["used", "file"]


def test_a_place_in_a_foreign_directory_is_refused_before_it_is_made(foreign):
    for place in (foreign, foreign / "deep" / "below"):
        with pytest.raises(RunError, match=r"cannot write .*: Permission denied") as caught:
            check_place(place)
        assert caught.value.hint == "name a directory that you may write to"


def test_a_place_that_would_do_is_not_made_yet(tmp_path):
    check_place(tmp_path / "deep" / "below")
    check_place(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_file_has_the_mode_of_a_new_one(tmp_path):
    before = os.umask(0o027)
    try:
        with RunDirectory.create(tmp_path / "run", model="toy", budget=BUDGET) as run:
            run.write_record(record())
            values = {"g": np.ones((1, 10))}
            run.save_scores(Scores(importance="l2", reduction="mean", values=values))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in run.path.rglob("*.*")}
    assert modes["run.json"] == modes["l2.mean.safetensors"] == 0o640


def test_other_refusals_need_no_hint(tmp_path):
    failure = OSError(errno.EIO, os.strerror(errno.EIO))
    with (
        pytest.raises(RunError, match="cannot write x: Input/output error") as caught,
        explained(Path("x")),
    ):
        raise failure
    assert caught.value.hint == ""


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file(tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from ap_core.runs.files import replacing
with replacing(Path({str(tmp_path / "file")!r})) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    write(tmp_path / "file", b"old")
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_bytes() == b"old"

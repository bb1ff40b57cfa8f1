"""One writer per run directory."""

import json
import os
import signal
import subprocess
import sys

import pytest
from run_samples import BUDGET, record

from ap_core.errors import RunError
from ap_core.runs.directory import RunDirectory
from ap_core.runs.lock import is_held

HOLD = """
import sys, time
from pathlib import Path
from ap_core.runs.directory import RunDirectory
with RunDirectory.resume(Path(sys.argv[1]), note=print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    with RunDirectory.create(tmp_path / "run", model="toy", budget=BUDGET) as run:
        run.write_record(record())
    return run.path


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    with process:
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_has_the_run(path, holder):
    before = sorted(path.iterdir())
    for attempt in (
        lambda: RunDirectory.resume(path, note=print),
        lambda: RunDirectory.create(path, model="toy", budget=BUDGET),
    ):
        with pytest.raises(RunError, match=f"is in use by process {holder.pid}$") as caught:
            attempt()
        assert caught.value.hint == "wait until it ends, or name another directory"
    assert sorted(path.iterdir()) == before


def test_reading_needs_no_lock(path, holder):
    assert RunDirectory.open(path).record() == record()
    assert is_held(path)


def test_the_lock_of_a_killed_process_is_free(path, holder):
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    assert not is_held(path)
    with RunDirectory.resume(path, note=print):
        assert is_held(path)
    assert not is_held(path)


def test_a_second_writer_in_the_same_process_is_refused_too(path):
    with RunDirectory.resume(path, note=print):
        (path / ".owner").write_text("garbage")
        with pytest.raises(RunError, match=r"is in use by process \(unknown\)"):
            RunDirectory.resume(path, note=print)


def test_the_owner_is_on_record(path):
    with RunDirectory.resume(path, note=print):
        assert json.loads((path / ".owner").read_text()) == {"pid": os.getpid()}


def test_the_lock_is_given_back_when_the_start_fails(path):
    (path / "dir.jsonl").mkdir()
    with pytest.raises(RunError, match="Is a directory"):
        RunDirectory.resume(path, note=print)
    assert not is_held(path)
    (path / "dir.jsonl").rmdir()
    (path / ".owner").unlink()
    (path / ".owner").mkdir()
    with pytest.raises(RunError, match="Is a directory"):
        RunDirectory.resume(path, note=print)
    assert not is_held(path)


def test_a_directory_without_a_lock_is_held_by_nobody(tmp_path):
    assert not is_held(tmp_path)


def test_a_lock_that_cannot_be_opened_may_be_held(tmp_path):
    target = tmp_path / "elsewhere"
    target.touch()
    (tmp_path / ".lock").symlink_to(target)
    assert is_held(tmp_path)

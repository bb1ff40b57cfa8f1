"""Several targets, and runs that were stopped: nothing is lost, nothing is mixed up."""

import json
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
import torch
from test_prune import ap
from torch import nn
from warm import kill, warm_ap

from ap_core.errors import Interrupted, RunError, UsageError
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import WarningsOnly
from ap_core.pipeline.prune import prune, resume, resume_all
from ap_core.runs.directory import RunDirectory

ASKED = (
    "prune", "--model", "test_resnet", "--num-classes", "10", "--input-size", "32",
    "--weights", "random", "--target-macs", "75%,50%,25%",
)  # fmt: skip


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 64, 3), nn.Conv2d(64, 128, 3)
        self.norm = nn.BatchNorm2d(64)
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.norm(self.first(x)).relu()).relu().mean((2, 3)))


class At(WarningsOnly):
    """Does something when a stage begins for the nth time."""

    def __init__(self, stage, number, act):
        self.stage, self.number, self.act = stage, number, act

    @contextmanager
    def progress(self, total, description):
        self.number -= description == self.stage
        if description == self.stage and self.number == 0:
            self.act()
        yield lambda _steps: None


def stop():
    raise KeyboardInterrupt


def fail():
    raise RunError("the disk is full")


def options(targets, **changes):
    fields = {"model": "Net", "target_macs": targets, "input_size": (3, 16, 16), "band": 0.2}
    return PruneOptions.parse(fields | changes)


def start(targets, home, progress=None, net=None, **changes):
    return prune(options(targets, **changes), module=net or Net(), output=home, progress=progress)


def plans(home):
    return {path.parent.name: path.read_bytes() for path in home.glob("*/plan.json")}


def statuses(home):
    found = {path.parent.name: json.loads(path.read_bytes()) for path in home.glob("*/run.json")}
    return {name: record["status"] for name, record in found.items()}


def test_targets_that_round_alike_get_places_of_their_own(tmp_path):
    results = start("10.4801M,10.4802M,5M", tmp_path / "home")
    assert [each.path.name for each in results] == ["10480100", "10480200", "5M"]
    assert [each.budget.caps[0].limit for each in results] == [10_480_100, 10_480_200, 5_000_000]


def test_a_target_that_is_named_twice_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"the target [\d.]+M is named twice") as caught:
        start("50%,30%,50%", tmp_path / "home")
    assert caught.value.hint == "leave one out"
    assert not (tmp_path / "home").exists()


def test_a_home_that_holds_something_is_refused_before_the_first_run(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        start("50%,30%", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["precious.txt"]


def test_every_run_of_several_targets_has_its_scores(tmp_path):
    start("50%,30%", tmp_path / "home")
    assert len(list((tmp_path / "home").glob("*/scores/l2.mean.safetensors"))) == 2


def test_scores_that_were_read_are_not_written_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start("50%", tmp_path / "run", At("cutting", 1, stop))
    scores = tmp_path / "run" / "scores" / "l2.mean.safetensors"
    before = scores.stat()
    resume(tmp_path / "run", module=Net())
    assert (scores.stat().st_ino, scores.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(("stage", "number"), [("searching (solver)", 1), ("verifying", 2)])
def test_targets_that_were_stopped_are_all_resumed_and_compared(tmp_path, stage, number):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    start("70%,50%,30%", whole)
    with pytest.raises(Interrupted) as caught:
        start("70%,50%,30%", stopped, At(stage, number, stop))
    assert caught.value.path == stopped
    assert len(statuses(stopped)) == 3
    results = resume_all(stopped, module=Net())
    assert {each.path for each in results} == {stopped / name for name in plans(whole)}
    assert plans(stopped) == plans(whole)
    assert set(statuses(stopped).values()) == {"done"}
    page = (stopped / "index.html").read_text()
    assert all(f"{name}/report.html" in page for name in plans(whole))


def test_a_target_that_a_kill_left_without_a_record_is_begun(tmp_path):
    start("70%,50%", tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        start("70%,50%", tmp_path / "stopped", At("searching (solver)", 1, stop))
    (later,) = (p for p in (tmp_path / "stopped").iterdir() if not (p / "scores").exists())
    for name in ("run.json", "profile.json"):
        (later / name).unlink()
    resume_all(tmp_path / "stopped", module=Net())
    assert plans(tmp_path / "stopped") == plans(tmp_path / "whole")


def test_while_one_target_is_worked_on_the_others_are_taken(tmp_path):
    seen = []

    def look():
        for path in sorted((tmp_path / "home").iterdir()):
            with pytest.raises(RunError, match="is in use by process"):
                RunDirectory.resume(path, note=print)
            seen.append(path.name)

    start("70%,50%", tmp_path / "home", At("cutting", 1, look))
    assert len(seen) == 2


def test_runs_that_were_not_started_together_are_not_resumed_together(tmp_path):
    start("50%", tmp_path / "a")
    start("50%", tmp_path / "b", seed=1)
    with pytest.raises(RunError, match="are not the targets of one start") as caught:
        resume_all(tmp_path, module=Net())
    assert caught.value.hint == "go on with one of them: ap prune --resume RUN"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b"]


def test_the_runs_of_one_target_are_not_taken_for_those_of_several(tmp_path):
    start("50%", tmp_path / "a")
    with pytest.raises(RunError, match="are not the targets of one start"):
        resume_all(tmp_path, module=Net())


def test_a_directory_without_runs_cannot_be_resumed(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        resume_all(tmp_path)


def test_a_report_that_a_kill_prevented_is_written_on_resume(tmp_path):
    start("50%", tmp_path / "run")
    report = tmp_path / "run" / "report.html"
    page = report.read_text()
    report.unlink()
    resume(tmp_path / "run", module=Net())
    assert report.read_text() == page


def test_a_failed_run_is_running_again_while_it_is_resumed(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(RunError, match="the disk is full"):
        start("50%", run.path, At("verifying", 1, fail))
    assert (run.record().status, run.record().failure) == ("failed", "the disk is full")
    seen = []
    look = At("cutting", 1, lambda: seen.append(run.record()))
    assert resume(run.path, module=Net(), progress=look).record.status == "done"
    assert [(record.status, record.failure) for record in seen] == [("running", "")]


def test_the_seconds_of_the_stages_are_no_more_than_those_that_passed(tmp_path):
    begin = time.perf_counter()
    (pruned,) = start("50%", tmp_path / "run", strategist="random", trials=20)
    passed = time.perf_counter() - begin
    seconds = pruned.record.result.seconds
    assert set(seconds) == {
        "load", "trace", "data", "propose", "score", "solve", "judge", "cut", "verify", "save",
    }  # fmt: skip
    assert sum(seconds.values()) <= passed


def test_every_target_of_a_dry_run_is_timed_alone():
    one, other = prune(options("50%,30%"), module=Net(), dry_run=True)
    assert one.seconds["load"] == other.seconds["load"]
    assert one.seconds is not other.seconds
    assert one.seconds["solve"] > 0


def test_killed_targets_are_resumed_from_their_common_directory(tmp_path):
    ap(*ASKED, "--output", "whole", cwd=tmp_path)
    killed = subprocess.Popen(
        [warm_ap(), *ASKED, "--output", "home"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    home = tmp_path / "home"
    while not plans(home):
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    kill(killed)
    assert killed.wait() == -signal.SIGKILL
    assert len(plans(home)) < 3
    ap("prune", "--resume", "home", cwd=tmp_path)
    assert plans(home) == plans(tmp_path / "whole")
    assert (home / "index.html").exists()

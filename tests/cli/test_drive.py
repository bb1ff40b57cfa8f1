"""`ap drive`: a search step by step, on a small network; each step may be a process of its own."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from warm import kill, warm_ap, warm_python

from ap_core import load_model
from ap_core.agents.briefing import analysis_briefing
from ap_core.agents.master import decide
from ap_core.agents.reply import Proposal, schema_of
from ap_core.cli.main import run
from ap_core.errors import RunError
from ap_core.pipeline import driving
from ap_core.pipeline.opening.session import reopen_session
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Silent
from ap_core.pipeline.searching.evidence import evidence_of
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory

ASKED = (
    "--model", "test_resnet", "--num-classes", "10", "--input-size", "32",
    "--weights", "random", "--data", "digits", "--held-out", "64", "--calibration-batches", "2",
    "--target-macs", "50%",
)  # fmt: skip
SMOOTH = '{"rationale": "spread the cut", "importance": "l2", "smoothing": 0.5}'


def ap(*arguments, code=0):
    """What `ap` shows, in this process."""
    out, err = io.StringIO(), io.StringIO()
    found = run([str(each) for each in arguments], environment={}, out=out, err=err)
    assert found == code, err.getvalue()
    return out.getvalue() if code == 0 else err.getvalue()


def alone(*arguments, cwd, code=0, stdin=""):
    """What `ap` shows, in a process of its own."""
    done = subprocess.run(
        [warm_ap(), *map(str, arguments)],
        cwd=cwd,
        input=stdin.encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode() if code == 0 else done.stderr.decode()


def content(path):
    """All files of a run but those that say who holds it."""
    found = sorted(each for each in path.rglob("*") if each.is_file())
    return {
        str(each.relative_to(path)): each.read_bytes()
        for each in found
        if each.name not in (".lock", ".owner")
    }


def trials(path):
    """What is recorded of the trials, but how long they took."""
    return [replace(each, seconds=0.0) for each in RunDirectory.open(path).trials()]


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A run that was started."""
    path = tmp_path_factory.mktemp("origin") / "run"
    ap("drive", "start", *ASKED, "--output", path, "--quiet")
    return path


@pytest.fixture
def started(origin, tmp_path):
    """The same, to be changed."""
    return Path(shutil.copytree(origin, tmp_path / "run"))


@pytest.fixture
def proposal(tmp_path):
    """File that holds a proposal."""
    path = tmp_path / "proposal.json"
    path.write_text(SMOOTH)
    return path


# ---- a whole session


def test_a_session_in_a_shell(tmp_path):
    begun = json.loads(alone("drive", "start", *ASKED, "--output", "run", "--json", cwd=tmp_path))
    shown = json.loads(alone("drive", "show", "run", "--json", cwd=tmp_path))
    assert shown == begun
    tried = json.loads(alone("drive", "try", "run", "-", "--json", cwd=tmp_path, stdin=SMOOTH))
    assert tried["strategy"]["smoothing"] == 0.5
    again = alone("drive", "try", "run", "-", cwd=tmp_path, stdin=SMOOTH, code=2)
    assert again == (
        "error: the proposal is refused: that is the strategy of trial 1; propose another\n"
        "hint: names and schema: ap drive show run\n"
    )
    found = json.loads(alone("drive", "finish", "run", "--json", cwd=tmp_path))
    assert found["trials"] == 2
    assert found["strategist"] == "drive"
    assert found["macs"] == (tried["macs"] if tried["best"] == 1 else begun["trials"][0]["macs"])
    loaded = load_model(tmp_path / "run")
    assert sum(each.numel() for each in loaded.parameters()) == found["params"]


def test_the_plan_of_trial_0_comes_to_what_prune_reports(started, tmp_path):
    ours = json.loads(ap("drive", "finish", started, "--json"))
    theirs = json.loads(ap("prune", *ASKED, "--output", tmp_path / "other", "--json"))
    assert (ours.pop("strategist"), theirs.pop("strategist")) == ("drive", "solver")
    for each in (ours, theirs):
        del each["run"], each["seconds"]
    assert ours == theirs
    for name in ("plan.json", "profile.json", "model.safetensors"):
        assert (started / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert "report.html" in content(started)


# ---- what is shown


def test_the_document_of_what_there_is_to_go_by(origin):
    found = json.loads(ap("drive", "show", origin, "--json"))
    assert set(found) == {
        "schema", "run", "system", "prompt", "reply_schema", "trials", "best", "left", "finished",
        "decision",
    }  # fmt: skip
    assert (found["schema"], found["run"], found["best"], found["left"]) == (1, str(origin), 0, 11)
    assert found["finished"] is False
    assert found["decision"] == {
        "trial": 1, "move": "explore", "reason": "trial 0 is the best so far",
    }  # fmt: skip
    (first,) = found["trials"]
    assert (first["number"], first["strategist"], first["schema"]) == (0, "drive", 1)
    assert set(found["reply_schema"]["properties"]) == set(Proposal.model_fields)


def test_the_prompt_is_what_the_analysis_agent_would_be_sent(origin):
    opened = RunDirectory.open(origin)
    record, registry = opened.record(), Registry.from_entry_points()
    session = reopen_session(registry, record, origin, Silent())
    # Measured again, from nothing.
    evidence = evidence_of(session, record.budget.to_budget(), None, allowance=12, sensitivity=True)
    made = opened.trials()
    briefing = analysis_briefing(replace(evidence, trials=made, left=11), decide(made))
    found = json.loads(ap("drive", "show", origin, "--json"))
    assert (found["system"], found["prompt"]) == (briefing.system, briefing.prompt)
    assert found["reply_schema"] == schema_of(evidence.importances)
    assert "| 2." in found["prompt"], "sensitivity was not measured"


def test_the_text_holds_the_same_and_what_to_type_next(origin):
    found, text = json.loads(ap("drive", "show", origin, "--json")), ap("drive", "show", origin)
    for part in (found["system"], found["prompt"], json.dumps(found["reply_schema"])):
        assert part in text
    assert text.endswith(
        f"run: {origin}\n"
        "best: trial 0; trials left: 11; next: explore (trial 0 is the best so far)\n"
        f"try a proposal:\n    ap drive try {origin} -\n"
        f"end the search:\n    ap drive finish {origin}\n"
    )


def test_showing_loads_no_network_and_needs_no_lock(origin):
    code = (
        "import sys; from ap_core.pipeline.driving import show; from pathlib import Path\n"
        "show(Path(sys.argv[1])); print({'torch', 'timm', 'scipy'} & set(sys.modules))"
    )
    before = content(origin)
    with RunDirectory.resume(origin, note=print):
        done = subprocess.run(
            [sys.executable, "-c", code, origin], capture_output=True, text=True, check=True
        )
    assert done.stdout == "set()\n"
    assert content(origin) == before


# ---- trials


def test_a_trial_is_recorded_and_compared_with_the_best(started, proposal):
    found = json.loads(ap("drive", "try", started, proposal, "--json"))
    first, second = RunDirectory.open(started).trials()
    assert found["number"] == second.number == 1
    assert found["strategist"] == "drive"
    for name in ("macs", "params", "loss", "accuracy", "retained", "same_as", "plan"):
        assert found[name] == getattr(second, name)
    assert found["kept"] == dict(second.kept)
    assert found["strategy"]["rationale"] == "spread the cut"
    assert found["best"] == (1 if second.loss < first.loss else 0)
    assert (found["left"], found["run"], found["schema"]) == (10, str(started), 1)
    decided = RunDirectory.open(started).decisions()
    assert [(each.trial, each.move) for each in decided] == [(0, "begin"), (1, "explore")]
    shown = json.loads(ap("drive", "show", started, "--json"))
    assert [each["number"] for each in shown["trials"]] == [0, 1]
    assert "trial 1" in shown["prompt"]


def test_a_trial_of_a_plan_that_was_there_is_told(started, proposal):
    proposal.write_text('{"pressure": [{"where": "hidden", "value": 1}]}')
    found = json.loads(ap("drive", "try", started, proposal, "--json"))
    assert (found["same_as"], found["best"]) == (0, 0)
    proposal.write_text('{"pressure": [{"where": "residual", "value": 1}]}')
    text = ap("drive", "try", started, proposal)
    assert "same plan as trial 0" in text
    assert "next: widen (trial 2 led to the plan of trial 0)" in text


def test_a_proposal_without_a_plan_is_refused_and_changes_nothing(started, proposal):
    before = content(started)
    proposal.write_text('{"keep": ["residual", "hidden"]}')
    said = ap("drive", "try", started, proposal, code=2)
    assert "error: the proposal is refused: it has no plan: timm/test_resnet" in said
    assert "hint: reachable: from " in said
    assert content(started) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "error: the proposal is refused: the reply is empty\n"),
        (b"no", "error: the proposal is refused: the reply holds no JSON object\n"),
        (b"\xff{}", "error: the proposal is no text in UTF-8: byte 1 makes no sense\n"),
        (b"a" * 10_000_000, "error: the proposal has more than 1000000 bytes\n"),
    ],
    ids=["empty", "no JSON", "no text", "10 MB"],
)
def test_what_is_no_proposal_is_refused_on_stdin_too(origin, given, said):
    before = content(origin)
    done = subprocess.run(
        [warm_ap(), "drive", "try", origin, "-"], input=given, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(said)
    assert content(origin) == before


def test_a_file_that_is_not_there_is_named(origin, tmp_path):
    said = ap("drive", "try", origin, tmp_path / "none.json", code=2)
    assert "No such file or directory" in said


# ---- what else the command takes


@pytest.mark.parametrize("option", ["--strategist", "--llm", "--llm-max-calls", "--dry-run"])
def test_who_proposes_is_no_option(option):
    said = ap("drive", "start", *ASKED, option, "1", code=2)
    assert said.startswith(f"error: No such option '{option}'.")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--target-macs", "50%,25%"), 2, "several targets"),
        (("--target-macs", "0.1%"), 3, "cannot be cut to"),
        (("--importance", "l3"), 2, "did you mean"),
        (("--trials", "0"), 2, "--trials"),
    ],
)
def test_a_start_of_no_sense_leaves_nothing_behind(tmp_path, arguments, code, said):
    place = tmp_path / "run"
    assert said in ap("drive", "start", *ASKED, *arguments, "--output", place, code=code)
    assert not place.exists()


def test_the_allowance_counts_the_base_strategy(tmp_path, proposal):
    path = tmp_path / "run"
    plain = ("--model", "test_resnet", "--weights", "random", "--target-macs", "50%")
    ap("drive", "start", *plain, "--trials", "1", "--output", path)
    assert ap("drive", "try", path, proposal, code=1) == (
        f"error: no trial is left: 1 were made\nhint: end the search: ap drive finish {path}\n"
    )
    assert "no trial is left: 1 were made\nend the search:" in ap("drive", "show", path)
    assert json.loads(ap("drive", "finish", path, "--json"))["trials"] == 1


def test_what_the_user_fixed_binds_every_proposal(tmp_path, proposal):
    path = tmp_path / "run"
    fixed = ("--keep", "layer1", "--round-to", "4", "--target-macs", "70%")
    ap("drive", "start", *ASKED, *fixed, "--output", path)
    proposal.write_text('{"smoothing": 4, "widths": [{"where": "layer1", "value": 0.2}]}')
    found = json.loads(ap("drive", "try", path, proposal, "--json"))
    assert found["strategy"]["keep"] == ["layer1"]
    assert found["strategy"]["round_to"] == 4
    ap("drive", "finish", path)
    network, plan = RunDirectory.open(path).network(), RunDirectory.open(path).plan()
    kept = [group for group in network.groups if group.stage == "layer1"]
    assert kept
    assert all(plan.widths[group.name] == group.width for group in kept)


# ---- a run between its steps, and after the last


def test_prune_lists_reports_and_does_not_end_a_driven_run(started):
    before = content(started)
    assert ap("prune", "--resume", started, code=1) == (
        f"error: the search of {started} is driven step by step: only its driver knows when it "
        f"ends\nhint: end it with: ap drive finish {started}\n"
    )
    assert content(started) == before
    (listed,) = json.loads(ap("runs", started, "--json"))["runs"]
    assert listed["status"] == "running"
    assert json.loads(ap("runs", "show", started, "--json"))["status"] == "running"
    ap("report", started)
    page = (started / "report.html").read_text()
    assert f"ap drive finish {started}" in page
    assert ap("bench", started, code=1).endswith(f"hint: go on with: ap drive finish {started}\n")


def test_a_finished_run_is_shown_again_and_takes_no_more(started, proposal):
    first = ap("drive", "finish", started, "--json")
    before = content(started)
    assert ap("drive", "finish", started, "--json") == first
    assert ap("prune", "--resume", started, "--json") == first
    assert ap("drive", "try", started, proposal, code=1) == (
        f"error: the run {started} is finished\nhint: see what came out: ap runs show {started}\n"
    )
    shown = json.loads(ap("drive", "start", "--resume", started, "--json"))
    assert shown["finished"] is True
    assert ap("drive", "show", started).endswith(f"it is finished:\n    ap runs show {started}\n")
    assert content(started) == before


def test_one_process_at_a_time(started, proposal):
    holder = (
        "import os, sys, time; from pathlib import Path\n"
        "from ap_core.runs.directory import RunDirectory\n"
        "with RunDirectory.resume(Path(sys.argv[1]), note=print):\n"
        "    print(os.getpid(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [warm_python(), "-c", holder, started], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        holding = int(process.stdout.readline())
        before = content(started)
        said = f"error: {started} is in use by process {holding}\n"
        assert ap("drive", "try", started, proposal, code=1).startswith(said)
        assert ap("drive", "finish", started, code=1).startswith(said)
        assert ap("drive", "start", "--resume", started, code=1).startswith(said)
        assert json.loads(ap("drive", "show", started, "--json"))["best"] == 0
        assert content(started) == before
        kill(process)
    assert json.loads(ap("drive", "try", started, proposal, "--json"))["number"] == 1


def test_a_failure_is_kept_and_the_search_goes_on(started, proposal):
    weights = started / "model.safetensors"
    weights.mkdir()
    assert "cannot write" in ap("drive", "finish", started, code=1)
    assert RunDirectory.open(started).record().status == "failed"
    weights.rmdir()
    ap("drive", "try", started, proposal)
    assert json.loads(ap("drive", "finish", started, "--json"))["trials"] == 2
    assert RunDirectory.open(started).record().status == "done"


def test_what_the_disk_refuses_is_no_fault_of_the_proposal(started, proposal):
    (started / "scores" / "fisher.sum.safetensors").write_bytes(b"torn")
    before = content(started)
    proposal.write_text('{"importance": "fisher"}')
    said = ap("drive", "try", started, proposal, code=1)
    assert f"error: {started}/scores/fisher.sum.safetensors is damaged" in said
    assert "hint: delete it, and the scores are made again" in said
    assert content(started) == before


# ---- kills


def killed(*arguments, when, cwd):
    """Run a command, and kill it at once when something is met."""
    running = subprocess.Popen(
        [warm_ap(), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while not when():
        assert running.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.001)
    kill(running)
    out, _ = running.communicate()
    return out


def test_a_start_that_was_killed_goes_on(origin, tmp_path):
    path = tmp_path / "run"
    killed(
        "drive", "start", *ASKED, "--output", "run",
        when=lambda: (path / "scores").exists(), cwd=tmp_path,
    )  # fmt: skip
    assert not (path / "trials.jsonl").exists()
    assert ap("drive", "show", path, code=1) == (
        f"error: the start of {path} was stopped: there is no trial yet\n"
        f"hint: go on with: ap drive start --resume {path}\n"
    )
    whole = json.loads(ap("drive", "show", origin, "--json"))
    found = json.loads(ap("drive", "start", "--resume", path, "--json"))
    assert (found["prompt"], found["system"]) == (whole["prompt"], whole["system"])
    assert trials(path) == trials(origin)
    assert "cannot be given" in ap("drive", "start", "--resume", path, "--trials", "3", code=2)


def test_a_trial_is_not_lost_when_its_outcome_is_not_told(started, proposal):
    def recorded():
        return (started / "trials.jsonl").read_bytes().count(b"\n") == 2

    killed("drive", "try", started, proposal, when=recorded, cwd=started.parent)
    assert "that is the strategy of trial 1" in ap("drive", "try", started, proposal, code=2)
    assert json.loads(ap("drive", "show", started, "--json"))["left"] == 10


def test_a_trial_that_was_killed_half_way_is_made_as_if_nothing_had_been(
    origin, started, proposal, tmp_path
):
    whole = Path(shutil.copytree(origin, tmp_path / "whole"))
    ap("drive", "try", whole, proposal)
    with RunDirectory.resume(started, note=print) as half:
        half.append_decision(RunDirectory.open(whole).decisions()[1])
    with (started / "trials.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"number":1,"stra')
    ap("drive", "try", started, proposal)
    assert trials(started) == trials(whole)
    assert RunDirectory.open(started).decisions() == RunDirectory.open(whole).decisions()


def test_an_end_that_was_killed_is_made_again(origin, started, tmp_path):
    whole = Path(shutil.copytree(origin, tmp_path / "whole"))
    ap("drive", "finish", whole)
    killed(
        "drive", "finish", started,
        when=lambda: (started / "plan.json").exists(), cwd=tmp_path,
    )  # fmt: skip
    assert RunDirectory.open(started).record().status == "running"
    ap("drive", "finish", started)
    for name in ("plan.json", "model.safetensors"):
        assert (started / name).read_bytes() == (whole / name).read_bytes()


def test_scores_that_were_deleted_are_made_again(origin, started):
    whole = ap("drive", "show", origin, "--json")
    shutil.rmtree(started / "scores")
    assert ap("drive", "show", started, code=1) == (
        f"error: the run {started} lacks what is measured at its start\n"
        f"hint: measure it: ap drive start --resume {started}\n"
    )
    again = json.loads(ap("drive", "start", "--resume", started, "--json"))
    assert again == json.loads(whole) | {"run": str(started)}


# ---- from Python


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 64, 3), nn.Conv2d(64, 128, 3)
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(x).relu()).relu().mean((2, 3)))


def test_a_live_network_is_driven_from_python(tmp_path):
    net, path = Net(), tmp_path / "run"
    options = PruneOptions.parse(
        {"model": "Net", "target_macs": "50%", "input_size": (3, 16, 16), "band": 0.1}
    )
    begun = driving.start(options, module=net, output=path)
    assert (begun.best.number, begun.left, begun.over) == (0, driving.TRIALS - 1, "")
    tried = driving.attempt(path, '{"importance": "l1"}', module=net)
    assert tried.trials[-1].strategy.importance == "l1"
    with pytest.raises(RunError, match="was started with a network in memory") as caught:
        driving.attempt(path, '{"importance": "l1", "smoothing": 1}')
    assert caught.value.hint == "go on from Python, and give it again: module=..."
    with pytest.raises(RunError, match="weights of Net are not those"):
        driving.finish(path, module=nn.Sequential(Net()))
    assert driving.finish(path, module=net).record.status == "done"
    assert driving.finish(path).trials == tried.trials

"""`ap prune`, `profile`, `report`, `bench`, `demo`: the installed program, as a user runs it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
from warm import kill, warm_ap, warm_python

from ap_core.cli.main import run

AP = Path(sys.executable).with_name("ap")
SMALL = ("--model", "test_resnet", "--num-classes", "10", "--input-size", "32")
RANDOM = ("--weights", "random")


@dataclass(frozen=True)
class Done:
    """What a command has said."""

    stdout: str
    stderr: str


def installed(*arguments: str | Path, cwd: Path, code: int = 0) -> Done:
    """The installed program, in a process of its own."""
    done = subprocess.run(
        [AP, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return Done(stdout=done.stdout, stderr=done.stderr)


def ap(*arguments: str | Path, cwd: Path, code: int = 0) -> Done:
    """The same program in this process, which has loaded what takes seconds to load."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd):
        found = run([*map(str, arguments)], environment=os.environ, out=out, err=err)
    assert found == code, err.getvalue()
    return Done(stdout=out.getvalue(), stderr=err.getvalue())


def told_of_reloaded(what: str, place: Path) -> list[str]:
    """What another process prints of the network that it loads from the run."""
    code = f"from ap_core import load_model\nmodel = load_model('run')\nprint({what})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    place = tmp_path_factory.mktemp("pruned")
    done = installed(
        "prune",
        *SMALL,
        *RANDOM,
        "--target-macs",
        "50%",
        "--output",
        "run",
        "--json",
        "--data",
        "digits",
        cwd=place,
    )
    return place, json.loads(done.stdout)


def test_prune_lands_below_the_target_and_says_so(pruned) -> None:
    _, found = pruned
    assert found["schema"] == 1
    assert found["model"] == "timm/test_resnet.r160_in1k"
    assert found["weights"] == "random"
    assert 0.995 * found["target_macs"] <= found["macs"] <= found["target_macs"]
    assert found["target_macs"] == found["base_macs"] // 2
    assert found["importance"] == "taylor"
    assert found["accuracy"]["baseline"]["images"] == 359


def test_the_run_directory_is_complete(pruned) -> None:
    place, _ = pruned
    names = {path.name for path in (place / "run").iterdir()}
    assert names >= {
        "run.json", "profile.json", "plan.json", "trials.jsonl", "model.safetensors",
        "report.html",
    }  # fmt: skip


def test_three_lines_reload_it_in_another_process(pruned) -> None:
    place, found = pruned
    said = told_of_reloaded("sum(p.numel() for p in model.parameters()), model.training", place)
    assert said == [str(found["params"]), "False"]


def test_the_report_needs_nothing_from_elsewhere(pruned) -> None:
    place, _ = pruned
    page = (place / "run" / "report.html").read_text()
    assert "<script" not in page
    assert "src=" not in page
    assert "Random weights" in page


def test_a_finished_run_is_shown_again_on_resume(pruned) -> None:
    place, found = pruned
    again = json.loads(ap("prune", "--resume", "run", "--json", cwd=place).stdout)
    assert again["macs"] == found["macs"]
    assert again["accuracy"] == found["accuracy"]


def test_resume_can_be_quiet_but_takes_no_other_options(pruned) -> None:
    place, _ = pruned
    assert ap("prune", "--resume", "run", "--quiet", cwd=place).stderr == ""
    done = ap("prune", "--resume", "run", "--target-macs", "40%", cwd=place, code=2)
    assert "--target-macs cannot be given" in done.stderr


def test_a_used_directory_is_refused_and_stays_as_it_was(pruned) -> None:
    place, _ = pruned
    before = (place / "run" / "plan.json").read_bytes()
    done = ap(
        "prune", *SMALL, *RANDOM, "--target-macs", "40%", "--output", "run", cwd=place, code=1
    )
    assert done.stderr == (
        "error: run is not empty\nhint: name another directory, or go on with --resume\n"
    )
    assert (place / "run" / "plan.json").read_bytes() == before


def test_bench_compares_a_run_with_its_whole_network(pruned) -> None:
    place, found = pruned
    done = ap("bench", "run", "--rounds", "6", "--json", cwd=place)
    whole, cut = json.loads(done.stdout)["results"]
    assert (whole["name"], cut["name"]) == (found["model"], "run")
    assert (whole["macs"], whole["params"]) == (found["base_macs"], found["base_params"])
    assert (cut["macs"], cut["params"]) == (found["macs"], found["params"])
    assert whole["ratio"] == 1.0
    assert cut["ratio"] > 0


def test_bench_takes_the_first_that_is_named_as_the_baseline(pruned) -> None:
    place, _ = pruned
    subjects = ("run", "test_vit", "test_resnet")
    done = ap("bench", *subjects, "--rounds", "6", "--input-size", "32", "--json", cwd=place)
    results = json.loads(done.stdout)["results"]
    assert [each["name"] for each in results] == list(subjects)
    assert [each["ratio_interval"] is None for each in results] == [True, False, False]


@pytest.mark.parametrize("command", [("bench",), ("report",), ("runs", "show")])
def test_a_directory_of_runs_is_no_run_but_names_them(pruned, command) -> None:
    place, _ = pruned
    done = ap(*command, ".", cwd=place, code=1)
    assert done.stderr.endswith(
        "error: . holds no run: there is no run.json in it\nhint: the runs in it: run\n"
    )


def test_report_takes_the_run(pruned) -> None:
    place, _ = pruned
    ap("report", "run", "--output", "page.html", cwd=place)
    assert (place / "page.html").stat().st_size > 5000


def test_several_targets_share_one_load_and_give_a_table(tmp_path: Path) -> None:
    done = ap(
        "prune",
        *SMALL,
        *RANDOM,
        "--target-macs",
        "75%,50%",
        "--output",
        "runs",
        "--json",
        cwd=tmp_path,
    )
    found = json.loads(done.stdout)["targets"]
    assert len(found) == 2
    assert found[0]["macs"] > found[1]["macs"]
    assert len(list((tmp_path / "runs").glob("*/model.safetensors"))) == 2


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = ap("prune", *SMALL, *RANDOM, "--target-macs", "50%", "--dry-run", cwd=tmp_path)
    assert "dry run: nothing was written" in done.stderr
    assert "50.0 %" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--model", "resnet5o", "--target-macs", "1"), 2, "unknown model 'resnet5o'"),
        ((*SMALL, *RANDOM, "--target-macs", "9"), 3, "is not below the network's"),
        ((*SMALL, *RANDOM, "--target-macs", "0.1%"), 3, "cannot be cut to"),
        ((*SMALL, *RANDOM, "--target-macs", "-1"), 2, "is not above zero"),
        ((*SMALL, *RANDOM), 2, "no target"),
        ((*SMALL, *RANDOM, "--target-macs", "50%", "--importance", "l3"), 2, "did you mean"),
        ((*SMALL, *RANDOM, "--target-macs", "50%", "--strategist", "sover"), 2, "solver"),
        ((*SMALL, *RANDOM, "--target-macs", "50%", "--data", "digit"), 2, "digits"),
        ((*SMALL, *RANDOM, "--target-macs", "50%", "--data", "/none"), 1, "there is no folder"),
        ((*SMALL, *RANDOM, "--target-macs", "50%", "--importance", "taylor"), 1, "needs data"),
        ((*SMALL, *RANDOM, "--target-macs", "50%", "--keep", "nowhere"), 2, "matches 'nowhere'"),
        ((*SMALL, "--checkpoint", "none.pth", "--target-macs", "50%"), 1, "none.pth"),
    ],
)
def test_bad_input_is_refused_in_two_lines(tmp_path: Path, arguments, code, said) -> None:
    done = ap("prune", *arguments, cwd=tmp_path, code=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def folder_with_a_broken_image(place: Path) -> None:
    from PIL import Image

    for label, shade in (("a", 40), ("b", 200)):
        (place / label).mkdir(parents=True)
        for number in range(30):
            Image.new("RGB", (40, 40), (number * 8, shade, 3)).save(place / label / f"{number}.png")
    (place / "a" / "broken.png").write_bytes((place / "a" / "1.png").read_bytes()[:50])


def test_a_broken_image_is_named_and_refused_or_left_out(tmp_path: Path) -> None:
    folder_with_a_broken_image(tmp_path / "images")
    asked = ("prune", "--model", "test_resnet", "--num-classes", "2", "--input-size", "32")
    asked = (*asked, *RANDOM, "--target-macs", "50%", "--data", "./images")
    refused = ap(*asked, cwd=tmp_path, code=1)
    broken = str(tmp_path / "images" / "a" / "broken.png")
    assert f"1 of 42 images cannot be read: {broken}" in refused.stderr
    assert not (tmp_path / "runs").exists()
    done = ap(*asked, "--on-corrupt", "skip", "--output", "run", cwd=tmp_path)
    assert f"1 image cannot be read, left out: {broken}" in done.stderr
    kept = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert kept["skipped"] == [broken]


def test_profile_counts_and_draws(tmp_path: Path) -> None:
    done = ap("profile", "--model", "resnet50", "--json", "--picture", "r.svg", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["macs"] == 4_089_184_256
    assert found["params"] == 25_557_032
    assert sum(part["macs"] for part in found["layers"]) == found["macs"]
    assert (tmp_path / "r.svg").read_text().startswith("<")


def test_profile_shows_scopes_and_with_layers_every_group(tmp_path: Path) -> None:
    short = ap("profile", "--model", "resnet18", cwd=tmp_path).stdout
    long = ap("profile", "--model", "resnet18", "--layers", cwd=tmp_path).stdout
    lines = [" ".join(line.split()) for line in short.splitlines()]
    assert "scope kind groups can be cut widths" in lines
    assert "hidden(conv.out bn conv.in) hidden width 8 8 64 to 512" in lines
    assert "layer1.0.conv1" not in short
    assert "layer1.0.conv1  hidden width" in long
    assert "can be cut" not in long


def test_profile_refuses_a_picture_that_it_cannot_draw(tmp_path: Path) -> None:
    done = ap("profile", "--model", "resnet18", "--picture", "x.bmp", cwd=tmp_path, code=2)
    assert "cannot draw a .bmp" in done.stderr


def test_a_function_of_the_users_own_is_pruned(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def small():\n"
        "    return nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(),\n"
        "        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "        nn.Linear(64, 10))\n"
    )
    done = installed(
        "prune",
        "--model",
        "mine:small",
        "--input-size",
        "16",
        "--target-macs",
        "50%",
        "--output",
        "run",
        "--json",
        "--band",
        "5%",
        cwd=tmp_path,
    )
    assert json.loads(done.stdout)["weights"] == "live"
    code = (
        "from ap_core import load_model; import mine; "
        "print(type(load_model('run', factory=mine.small)).__name__)"
    )
    shown = subprocess.run(
        [warm_python(), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "Sequential"


def test_a_killed_search_ends_with_the_same_plan(tmp_path: Path) -> None:
    asked = (
        "prune",
        *SMALL,
        *RANDOM,
        "--target-macs",
        "50%",
        "--data",
        "digits",
        "--strategist",
        "tpe",
        "--trials",
        "9",
        "--held-out",
        "64",
        "--calibration-batches",
        "2",
    )
    ap(*asked, "--output", "whole", cwd=tmp_path)
    expected = (tmp_path / "whole" / "plan.json").read_bytes()
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # In what is drawn at random at first, and in what is learnt from that.
    for number in (3, 7):
        place = tmp_path / f"killed{number}"
        running = subprocess.Popen(
            [warm_ap(), *asked, "--output", place],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda place=place, n=number: trials(place) >= n, running)
        kill(running)
        assert running.wait() == -signal.SIGKILL
        assert trials(place) < 9
        ap("prune", "--resume", place, cwd=tmp_path)
        assert (place / "plan.json").read_bytes() == expected


def trials(run: Path) -> int:
    lines = run / "trials.jsonl"
    return len(lines.read_text().splitlines()) if lines.exists() else 0


def wait_for(met, running: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while not met():
        assert running.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.005)

"""`ap finetune` and its Python API, on runs of small networks trained on digits."""

import io
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from accelerate.tracking import (
    LOGGER_TYPE_TO_CLASS,
    GeneralTracker,
    get_available_trackers,
    register_tracker_class,
)
from runs import (
    TERSE,
    ap,
    assert_refused,
    copied,
    environment,
    pruned_run,
    save_noise,
    torchrun,
    training,
    weights,
)
from warm import kill, warm_ap, warm_python

from ap_core import load_model
from ap_core.console import Console
from ap_core.errors import CheckpointError, ModelError, RunError, UsageError
from ap_core.pipeline.progress import Silent
from ap_core.runs.directory import RunDirectory
from ap_train.cli.views import finetuned_document, show_finetuned
from ap_train.finetuning.finetune import Given, finetune, resume
from ap_train.finetuning.options import FinetuneOptions
from ap_train.finetuning.trackers import check_tracker


@pytest.fixture(scope="session")
def convnext(digits, architecture, tmp_path_factory) -> Path:
    return pruned_run("test_convnext", digits, architecture, tmp_path_factory.mktemp("convnext"))


@pytest.fixture(scope="session")
def resnet(digits, architecture, tmp_path_factory) -> Path:
    return pruned_run("test_resnet", digits, architecture, tmp_path_factory.mktemp("resnet"))


SETTINGS = {"batch_size": 32, "max_steps": 3, "min_scale": 0.8, "lr": 1e-3}


def quick(**more: object) -> FinetuneOptions:
    return FinetuneOptions.of("short", {**SETTINGS, **more})


def test_a_run_is_trained_and_its_weights_are_those_of_the_best_epoch(resnet, tmp_path) -> None:
    run = copied(resnet, tmp_path)
    before = load_model(run)
    done = ap(
        "finetune", run, *TERSE, "--epochs", 2, "--lr", "2e-3", "--workers", 0, "--json"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["teacher"] == "timm/test_resnet.r160_in1k"
    assert document["epochs"] == 2
    accuracy = document["accuracy"]
    assert accuracy["fine-tuned"]["loss"] < accuracy["pruned"]["loss"]
    assert set(accuracy) == {"uncut", "pruned", "fine-tuned"}
    assert document["history"][1]["loss"] < document["history"][0]["loss"]
    images = torch.randn(2, 3, 32, 32)
    after = load_model(run)
    assert not torch.equal(before(images), after(images))
    assert torch.equal(load_model(run, finetuned=False)(images), before(images))
    kept = after.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights(run).items())
    assert not (run / "finetune" / "state.safetensors").exists()
    assert "fine-tuned" in (run / "report.html").read_text()
    shown = ap("runs", "show", run)
    assert "top-1 fine-tuned" in shown.stdout


def test_every_setting_is_in_the_record(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    finetune(run, quick(ema_decay=0.5, smoothing=0.1))
    options = training(run)["options"]
    assert isinstance(options, dict)
    assert options["training"]["smoothing"] == 0.1
    assert options["training"]["preset"] == "short"
    assert options["training"]["momentum"] == 0.9


def test_processes_and_passes_change_nothing_but_the_time(convnext, tmp_path) -> None:
    arguments = (
        *TERSE, "--opt", "sgd", "--lr", "1e-2", "--max-steps", 12, "--workers", 0,
        "--batch-size", 32,
    )  # fmt: skip
    results = []
    for number, start in enumerate((ap, lambda *more: torchrun(2, *more))):
        (tmp_path / str(number)).mkdir()
        run = copied(convnext, tmp_path / str(number))
        done = start("finetune", run, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["epochs"] == 1
        results.append((weights(run, "last"), training(run)))
    (one, alone), (two, shared) = results
    assert (alone["processes"], shared["processes"]) == (1, 2)
    before = load_model(convnext).state_dict()
    moved = max(float((one[name] - before[name]).abs().max()) for name in one)
    apart = max(float((one[name] - two[name]).abs().max()) for name in one)
    assert apart < 1e-5 < moved
    assert alone["after"]["images"] == shared["after"]["images"] == 359
    assert alone["after"]["top1"] == pytest.approx(shared["after"]["top1"], abs=1 / 359)


def test_a_killed_training_goes_on_to_the_same_bytes(convnext, tmp_path) -> None:
    arguments = (
        *TERSE, "--epochs", 3, "--checkpoint-steps", 5, "--auto-augment", "rand-m9-mstd0.5",
        "--ema-decay", "0.9", "--workers", 0,
    )  # fmt: skip
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = copied(convnext, tmp_path / "whole")
    assert ap("finetune", whole, *arguments).returncode == 0
    killed = copied(convnext, tmp_path / "killed")
    moments = np.random.default_rng(0).uniform(0.0, 1.5, 2)
    command = [warm_ap(), "finetune", killed]
    first = [*command, *map(str, arguments)]
    for number, moment in enumerate(moments):
        running = subprocess.Popen(
            first if number == 0 else [*command, "--resume"],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_for_state(killed, running)
        time.sleep(moment)
        kill(running)
        assert running.wait() == -signal.SIGKILL
        with pytest.raises(RunError, match="has a training that stopped"):
            finetune(killed, quick())
    done = ap("finetune", killed, "--resume")
    assert done.returncode == 0, done.stderr
    for name in ("best.safetensors", "last.safetensors"):
        one, other = (run / "finetune" / name for run in (whole, killed))
        assert one.read_bytes() == other.read_bytes()
    assert untimed(training(whole)) == untimed(training(killed))
    again = ap("finetune", killed, "--resume", "--json")
    assert json.loads(again.stdout)["epochs"] == 3


def test_a_full_disk_keeps_the_last_state_and_the_training_goes_on(convnext, tmp_path) -> None:
    arguments = (*TERSE, "--epochs", 2, "--max-steps", 4, "--checkpoint-steps", 1, "--workers", 0)
    (tmp_path / "roomy").mkdir()
    roomy = copied(convnext, tmp_path / "roomy")
    assert ap("finetune", roomy, *arguments).returncode == 0
    place = tmp_path / "disk"
    place.mkdir()
    weights_size = (convnext / "model.safetensors").stat().st_size
    used = sum(file.stat().st_size for file in convnext.rglob("*") if file.is_file())
    # A state has the weights and two moments of them: there is room for one, not for the next.
    size = used + 5 * weights_size
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk here")
    try:
        cramped = copied(convnext, place)
        full = ap("finetune", cramped, *arguments)
        assert full.returncode == 1, full.stderr
        assert "No space left on device" in full.stderr
        assert "Traceback" not in full.stderr
        assert (cramped / "finetune" / "state.safetensors").exists()
        assert not list(cramped.rglob("*.tmp*"))
        remount = ["mount", "-o", f"remount,size={size + 9 * weights_size}", str(place)]
        subprocess.run(remount, check=True)
        done = ap("finetune", cramped, "--resume")
        assert done.returncode == 0, done.stderr
        for name in ("best.safetensors", "last.safetensors"):
            one, other = (run / "finetune" / name for run in (roomy, cramped))
            assert one.read_bytes() == other.read_bytes()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def untimed(record: dict[str, Any]) -> object:
    """What a training came to, but for the time that it took."""
    timeless = [{**epoch, "seconds": 0, "speed": 0} for epoch in record["history"]]
    return timeless, record["best"], record["before"], record["after"], record["baseline"]


DYING = """
import os, signal, sys
from pathlib import Path

from ap_train.finetuning.finetune import finetune, resume
from ap_train.finetuning.options import FinetuneOptions

run, moment, options = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def die(event, arguments):
    if event not in ("os.rename", "os.remove"):
        return
    place = Path(str(arguments[1 if event == "os.rename" else 0])).relative_to(run)
    last = place.name != "training.json" or '"status": "done"' in Path(arguments[0]).read_text()
    if str(place) == moment and last:
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(die)
if options:
    finetune(run, FinetuneOptions.model_validate_json(options))
else:
    resume(run)
"""
"""A training that dies just before a file gets to its place, or leaves it."""


def test_a_training_killed_at_any_of_its_last_writes_goes_on_to_the_trained_weights(
    convnext, tmp_path
) -> None:
    moments = (
        "finetune/last.safetensors", "run.json", "finetune/training.json", "report.html",
        "finetune/state.safetensors",
    )  # fmt: skip
    options = quick(epochs=1, workers=0)
    (tmp_path / "whole").mkdir()
    whole = finetune(copied(convnext, tmp_path / "whole"), options)
    run = copied(convnext, tmp_path)
    for moment in moments:
        asked = "" if (run / "finetune").exists() else options.model_dump_json()
        died = subprocess.run(
            [warm_python(), "-c", DYING, run, moment, asked],
            env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert died.returncode == -signal.SIGKILL, died.stderr
        with pytest.raises(RunError, match=r"training that stopped|trained already") as caught:
            finetune(run, options)
        assert "--resume" in caught.value.hint
    done = resume(run)
    assert (untimed(training(run)), training(run)["status"]) == (
        untimed(training(whole.path)), "done",
    )  # fmt: skip
    for name in ("best", "last"):
        assert all(
            torch.equal(weights(run, name)[n], t) for n, t in weights(whole.path, name).items()
        )
    assert done.record.finetuned == whole.record.finetuned
    assert RunDirectory.open(run).record().finetuned == whole.record.finetuned
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(load_model(run)(image), whole.module(image))
    assert "fine-tuned" in (run / "report.html").read_text()
    assert not (run / "finetune" / "state.safetensors").exists()


def test_a_training_that_left_no_state_makes_way_for_another(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    assert_refused(2, "unknown optimizer 'adamx'", "finetune", run, "--opt", "adamx")
    assert not (run / "finetune").exists()
    wild = ("--lr", "1e30", "--opt", "sgd", *TERSE)
    assert "smaller --lr" in assert_refused(1, "at update", "finetune", run, *wild)
    assert training(run)["status"] == "failed"
    done = finetune(run, quick())
    assert done.training.status == "done"
    with pytest.raises(RunError, match="was trained already") as caught:
        finetune(run, quick())
    assert f"remove {run / 'finetune'}" in caught.value.hint


def test_no_teacher_is_loaded_where_nothing_is_learnt_from_one(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    record = json.loads((run / "run.json").read_text())
    record["weights"]["checkpoint"] = str(tmp_path / "gone.safetensors")
    (run / "run.json").write_text(json.dumps(record))
    done = finetune(run, quick(distillation="none"))
    assert training(run)["teacher"] == done.training.teacher == ""
    assert done.training.baseline is None


def test_a_network_without_a_teacher_learns_from_labels_alone(convnext, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    one = finetune(copied(convnext, tmp_path), quick(distillation="none"))
    options = FinetuneOptions.of("short", {**SETTINGS, "workers": 0}, teacher="none")
    other = finetune(copied(convnext, tmp_path / "other"), options)
    assert options.training.distillation == "none"
    assert untimed(training(one.path)) == untimed(training(other.path))


def test_a_teacher_that_sees_other_images_is_refused(convnext, resnet, tmp_path) -> None:
    run, teacher = copied(convnext, tmp_path), tmp_path / "teacher"
    shutil.copytree(resnet, teacher)
    record = json.loads((teacher / "run.json").read_text())
    record["architecture"]["input_size"] = [3, 64, 64]
    (teacher / "run.json").write_text(json.dumps(record))
    options = FinetuneOptions(training=quick().training, teacher=str(teacher))
    with pytest.raises(ModelError, match="sees images of 3 x 64 x 64, the network 3 x 32 x 32"):
        finetune(run, options)
    assert not (run / "finetune").exists()


class Recorder(GeneralTracker):
    """Remembers what it was told."""

    name = "recorder"
    requires_logging_directory = False
    told: ClassVar[list[tuple[str, object]]] = []

    def __init__(self, project: str) -> None:
        super().__init__()
        self.told.append(("project", project))

    @property
    def tracker(self) -> None:
        return None

    def store_init_configuration(self, values: dict[str, object]) -> None:
        self.told.append(("settings", values))

    def log(self, values: dict[str, object], step: int | None = None) -> None:
        self.told.append((f"epoch {step}", values))

    def finish(self) -> None:
        self.told.append(("finish", None))


class Stopping(Recorder):
    """Stops the program after the first epoch."""

    name = "stopping"

    def log(self, values: dict[str, object], step: int | None = None) -> None:
        raise RuntimeError("stop")


def test_a_tracker_is_told_the_settings_and_every_epoch(convnext, tmp_path) -> None:
    register_tracker_class(Recorder)
    options = quick(epochs=2, max_steps=None, batch_size=512)
    done = finetune(copied(convnext, tmp_path), options, given=Given(track="recorder"))
    told = dict(Recorder.told)
    assert list(told) == ["project", "settings", "epoch 0", "epoch 1", "finish"]
    assert told["settings"]["batch_size"] == "512"
    for number, epoch in enumerate(done.training.history):
        assert told[f"epoch {number}"] == epoch.model_dump(exclude={"epoch"})


def test_a_tracker_that_is_not_installed_is_refused_with_what_installs_it() -> None:
    missing = next(
        str(name) for name in LOGGER_TYPE_TO_CLASS if name not in get_available_trackers()
    )
    with pytest.raises(UsageError, match=f"the tracker '{missing}' is not installed") as caught:
        check_tracker(missing)
    assert f"pip install {missing}" in caught.value.hint


def _wait_for_state(run: Path, running: subprocess.Popen[bytes]) -> None:
    """Until the process has begun to train, and there is something to go on with."""
    before = _moment(run)
    while running.poll() is None and _moment(run) == before:
        time.sleep(0.01)
    assert running.poll() is None, "the training ended before it could be killed"


def _moment(run: Path) -> float:
    state = run / "finetune" / "state.safetensors"
    return state.stat().st_mtime if state.exists() else 0.0


def test_random_weights_are_not_trained_unawares(tmp_path) -> None:
    from ap_core import prune

    prune(
        "test_convnext", num_classes=10, input_size=(3, 32, 32), weights="random",
        target_macs="60%", output=tmp_path / "run",
    )  # fmt: skip
    words = "are random: there is nothing in them to recover"
    refused = assert_refused(2, words, "finetune", tmp_path / "run", "--data", "digits")
    assert "--from-scratch" in refused
    words = "the weights of the uncut network are random: there is nothing to learn from it"
    arguments = ("finetune", tmp_path / "run", "--data", "digits", "--from-scratch")
    assert "--teacher none" in assert_refused(2, words, *arguments)
    assert not (tmp_path / "run" / "finetune").exists()
    done = ap(
        "finetune", tmp_path / "run", "--data", "digits", "--from-scratch", "--max-steps", 2,
        *TERSE, "--teacher", "none", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["accuracy"]) == {"pruned", "fine-tuned"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--teacher", "none", "--teacher", "resnet18"), 2, "2 teachers: none, resnet18"),
        (("--teacher", "test_vitt"), 2, "did you mean"),
        (("--preset", "resnt"), 2, "resnet"),
        (("--opt", "adamx"), 2, "unknown optimizer 'adamx'"),
        (("--track", "tensorbord"), 2, "unknown tracker 'tensorbord'"),
        (("--teacher", "test_resnet", "--distillation", "none"), 2, "nothing would be learnt from"),
        (("--teacher", "none", "--distillation", "hard"), 2, "--distillation hard cannot be given"),
        (("--teacher-checkpoint", "a"), 2, "--teacher-checkpoint cannot be given: no teacher"),
        (("--data", "nowhere/at/all"), 1, "there is no folder nowhere/at/all"),
        (("--amp", "fp16"), 2, "--amp fp16 is not to be had here"),
        (("--sync-bn",), 2, "--sync-bn needs GPUs"),
        (("--batch-size", "33", "--accumulate", "2"), 2, "cannot be split into 2 passes"),
        (("--batch-size", "5000"), 1, "do not fill a batch of 5000"),
        (("--held-out", "50"), 2, "images that its trials were chosen on"),
        (("--resume",), 1, "was not trained: there is nothing to go on with"),
        (("--lr", "1e30", "--opt", "sgd", "--batch-size", "32"), 1, "at update"),
    ],
)
def test_bad_input_is_named(convnext, tmp_path, arguments, code, words) -> None:
    run = copied(convnext, tmp_path)
    assert_refused(code, words, "finetune", run, *arguments)
    assert torch.equal(
        load_model(run)(torch.ones(1, 3, 32, 32)), load_model(convnext)(torch.ones(1, 3, 32, 32))
    )


def test_other_options_do_not_go_with_resume(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    words = "--resume goes on with the training's options; --lr cannot be given"
    assert_refused(2, words, "finetune", run, "--resume", "--lr", "1")


def test_a_run_in_use_is_left_alone(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    with RunDirectory.resume(run, note=print):
        assert_refused(1, "in use", "finetune", run, *TERSE)
    assert not (run / "finetune").exists()


def test_a_teacher_that_changed_is_refused(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    record = json.loads((run / "run.json").read_text())
    record["weights"]["sha256"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="are not those that the run was pruned with"):
        finetune(run, quick())
    record["weights"]["checkpoint"] = str(tmp_path / "gone.safetensors")
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="the uncut network cannot be had: "):
        finetune(run, quick())


def test_another_run_can_be_the_teacher(convnext, resnet, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    options = FinetuneOptions(training=quick().training, teacher=str(resnet))
    done = finetune(run, options)
    assert done.training.teacher == str(resnet)


def test_the_baseline_is_the_uncut_network_whoever_teaches(resnet, tmp_path) -> None:
    (tmp_path / "teacher").mkdir()
    teacher = copied(resnet, tmp_path / "teacher")
    taught = FinetuneOptions(training=quick().training, teacher=str(teacher))
    done = finetune(copied(resnet, tmp_path), taught, progress=Silent())
    assert done.training.teacher == str(teacher)
    uncut = RunDirectory.open(resnet).record().result.baseline
    assert done.training.baseline.top1 == pytest.approx(uncut.top1)
    assert done.training.baseline != done.training.before


def test_a_training_that_makes_a_network_worse_says_so(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    with pytest.warns(UserWarning, match="the training made the network worse: its held-out loss"):
        done = finetune(str(run), quick(lr=0.5, opt="sgd", distillation="none"))
    assert done.training.worse
    assert training(run)["selection_before"]["loss"] < done.training.chosen.selection_loss
    assert finetuned_document(done)["worse"]
    assert "The training made the network worse" in (run / "report.html").read_text()


def test_a_training_in_use_is_not_taken_for_one_that_stopped(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    finetune(run, quick())
    with RunDirectory.resume(run, note=print):
        assert_refused(1, "is in use by process", "finetune", run, *TERSE)
        assert_refused(1, "is in use by process", "finetune", run, "--resume")


def test_images_that_changed_since_pruning_are_warned_of(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    kept = json.loads((run / "run.json").read_text())["data"]["splits"]["train"]["sha256"]
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace(kept, "0" * 64))
    with pytest.warns(UserWarning, match="the images are not those that the run kept"):
        done = finetune(run, quick())
    out = io.StringIO()
    show_finetuned(Console(out=out, err=io.StringIO()), done)
    assert "images that the run may have seen" in out.getvalue()
    assert "Not to be relied on: the images are not" in (run / "report.html").read_text()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 100)])
def test_weights_of_a_training_that_are_lost_are_trained_again(convnext, tmp_path, damage) -> None:
    run = copied(convnext, tmp_path)
    finetune(run, quick())
    damage(run / "finetune" / "best.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_model(run)
    assert f"remove {run / 'finetune'}, then: ap finetune {run}" in caught.value.hint
    assert "prune again" not in caught.value.hint
    load_model(run, finetuned=False)
    shutil.rmtree(run / "finetune")
    assert finetune(run, quick()).training.status == "done"


def test_weights_of_a_teacher_that_cannot_be_had_name_the_option_of_the_teacher(
    convnext, tmp_path
) -> None:
    run = copied(convnext, tmp_path)
    missing = ("--teacher-checkpoint", "nowhere.safetensors")
    refused = assert_refused(1, "", "finetune", run, "--teacher", "test_convnext", *missing)
    assert "give its weights with --teacher-checkpoint" in refused


def test_images_of_other_classes_are_refused_without_options_that_there_are_not(
    convnext, tmp_path
) -> None:
    run = copied(convnext, tmp_path)
    words = "the data have 32 classes, the network 10"
    refused = assert_refused(1, words, "finetune", run, "--data", "glyphs", *TERSE)
    assert "--num-classes" not in refused


def test_passes_of_one_image_do_not_go_with_batch_norms(resnet, tmp_path) -> None:
    run = copied(resnet, tmp_path)
    words = "a pass would have one image, and batch norms need several"
    refused = assert_refused(2, words, "finetune", run, "--batch-size", 2, "--accumulate", 2)
    assert "give a --batch-size of 4 at least" in refused
    assert not (run / "finetune").exists()


def test_a_folder_is_kept_as_an_absolute_path(convnext, tmp_path, monkeypatch) -> None:
    run = copied(convnext, tmp_path)
    monkeypatch.chdir(tmp_path)
    save_noise(tmp_path / "images")
    options = FinetuneOptions(training=quick(batch_size=8).training, data="images")
    finetune(run, options, progress=Silent())
    assert training(run)["options"]["data"] == str(tmp_path / "images")


def test_a_training_taken_up_by_another_number_of_processes_says_so(convnext, tmp_path) -> None:
    run = copied(convnext, tmp_path)
    stopped = quick(max_steps=4, checkpoint_steps=1)
    register_tracker_class(Stopping)
    with pytest.raises(RuntimeError, match="stop"):
        finetune(run, stopped, given=Given(track="stopping"))
    record = run / "finetune" / "training.json"
    record.write_text(record.read_text().replace('"processes": 1', '"processes": 2'))
    with pytest.warns(UserWarning, match="the training goes on with 1 process, not 2"):
        done = resume(run)
    assert (done.training.processes, done.training.resumed) == (2, (1,))


def test_a_network_of_the_callers_own_is_trained_from_python(tmp_path) -> None:
    import timm

    from ap_core import prune

    torch.manual_seed(0)
    whole = timm.create_model("test_convnext", num_classes=10)
    pruned = prune(
        whole, target_macs="60%", input_size=(3, 32, 32), data="digits", calibration_batches=1,
        output=tmp_path / "run",
    )  # fmt: skip
    done = finetune(tmp_path / "run", quick(), given=Given(pruned=pruned.module, whole=whole))
    assert done.training.teacher == "live:ConvNeXt"
    assert done.training.baseline is not None
    again = load_model(
        tmp_path / "run",
        factory=lambda: timm.create_model("test_convnext", num_classes=10),
    )
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(again(image), done.module(image))


def test_a_distilled_transformer_is_taught_through_its_second_head(
    digits, architecture, tmp_path
) -> None:
    import timm

    from ap_core import prune

    torch.manual_seed(0)
    size = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    whole = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=10, **size)
    pruned = prune(
        whole, target_macs="70%", input_size=(3, 32, 32), data="digits", calibration_batches=1,
        output=tmp_path / "run",
    )  # fmt: skip
    assert pruned.module is not None
    before = {name: t.clone() for name, t in pruned.module.state_dict().items()}
    options = quick(distillation="hard", weight_decay=0.0, distillation_alpha=1.0)
    given = Given(pruned=pruned.module, whole=whole)
    done = finetune(tmp_path / "run", options, given=given, progress=Silent())
    after = done.module.state_dict()
    assert torch.equal(before["head.weight"], after["head.weight"])
    assert not torch.equal(before["head_dist.weight"], after["head_dist.weight"])

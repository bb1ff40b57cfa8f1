"""Training where there is a GPU: precisions, memory that really runs out, kills, NCCL."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import timm
import torch
from runs import TERSE, copied, environment, pruned_run, training, weights

from ap_core import load_model, prune
from ap_core.errors import ModelError
from ap_core.pipeline.progress import WarningsOnly
from ap_train.measuring.answers import answers_of
from ap_train.training.criterion import Teacher
from ap_train.training.loop import fit
from ap_train.training.presets import options_of

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is there"),
    # What torch says of kernels and of compiling is not ours.
    pytest.mark.filterwarnings("default"),
    pytest.mark.usefixtures("fresh_state"),
]

QUICK = {"batch_size": 32, "lr": 1e-3, "min_scale": 0.8, "max_steps": 4, "epochs": 1}
SHORT = ("--epochs", "1", "--max-steps", "4", "--lr", "1e-4", *TERSE)


def gpu(*arguments: object, torchrun: bool = False) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, on the GPU."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1")
    found = environment()
    found.pop("ACCELERATE_USE_CPU", None)
    program = [sys.executable, *(launcher if torchrun else ()), "-m", "ap_core"]
    return subprocess.run(
        [*program, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, env=found, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits, architecture) -> Path:
    return pruned_run("test_resnet", digits, architecture, tmp_path_factory.mktemp("gpu"))


@pytest.mark.parametrize(
    "more",
    [
        {"amp": "fp16"},
        {"amp": "bf16", "channels_last": True, "ema_decay": 0.9},
        {"mixup": 0.8, "cutmix": 1.0, "accumulate": 2},
        {"amp": "bf16", "compile": True},
        {"distillation": "soft", "amp": "fp16", "clip_grad": 1.0},
    ],
    ids=["fp16", "bf16", "mixed", "compiled", "taught"],
)
def test_every_way_to_train_learns(digits, architecture, more) -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=10)
    teacher = Teacher(module=copy.deepcopy(network), architecture=architecture)
    given = {**QUICK, "distillation": "none", "max_steps": 80, "epochs": 2, **more}
    fitted = fit(network, digits, architecture, options_of("short", given), teacher=teacher)
    assert next(network.parameters()).is_cuda
    assert fitted.history[-1].loss < fitted.history[0].loss
    answers = answers_of(network, digits.report()).summary()
    assert answers["top1"] > (0.1 if "distillation" in more else 0.5)


def test_memory_that_runs_out_says_what_fits_and_is_split(digits, architecture) -> None:
    torch.manual_seed(0)
    network = timm.create_model("resnet50", num_classes=10)
    total = torch.cuda.get_device_properties(0).total_memory
    given = {**QUICK, "batch_size": 512, "distillation": "none", "max_steps": 2}
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.9e9 / total)
    try:
        with pytest.raises(ModelError, match=r"512 images in a pass; \d+ fit") as caught:
            fit(network, digits, architecture, options_of("short", given))
        assert "--accumulate" in caught.value.hint
        with pytest.warns(UserWarning, match="memory ran out: updates are split"):
            fitted = fit(
                network, digits, architecture,
                options_of("short", {**given, "auto_batch": True}), progress=WarningsOnly(),
            )  # fmt: skip
        assert f"--accumulate {fitted.accumulate} " in caught.value.hint
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_the_command_trains_and_measures_there(run, tmp_path) -> None:
    path = copied(run, tmp_path)
    tuned = gpu("finetune", path, *SHORT, "--amp", "bf16", "--channels-last")
    assert tuned.returncode == 0, tuned.stderr
    told = gpu("eval", path, "--json")
    assert told.returncode == 0, told.stderr
    assert training(path)["status"] == "done"
    assert not next(load_model(path).parameters()).is_cuda


def test_a_process_group_over_nccl_synchronises_batch_norms(run, tmp_path) -> None:
    path = copied(run, tmp_path)
    tuned = gpu("finetune", path, *SHORT, "--sync-bn", "--amp", "fp16", torchrun=True)
    assert tuned.returncode == 0, tuned.stderr
    assert training(path)["processes"] == 1


def test_a_killed_training_goes_on(run, tmp_path) -> None:
    path = copied(run, tmp_path)
    found = environment()
    found.pop("ACCELERATE_USE_CPU", None)
    more = ("--epochs", "3", "--checkpoint-steps", "3", "--lr", "1e-4", *TERSE)
    running = subprocess.Popen(
        [sys.executable, "-m", "ap_core", "finetune", str(path), *more],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=found,
    )  # fmt: skip
    state, deadline = path / "finetune" / "state.safetensors", time.monotonic() + 120
    while not state.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    resumed = gpu("finetune", path, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert len(training(path)["history"]) == 3
    assert weights(path)


def test_a_network_on_the_gpu_can_be_pruned_where_it_is(tmp_path) -> None:
    network = timm.create_model("test_resnet", num_classes=10).cuda()
    pruned = prune(network, input_size=(3, 32, 32), target_macs="50%", output=tmp_path / "run")
    assert next(network.parameters()).is_cuda
    assert pruned.record.result.macs <= pruned.record.budget.caps[0].limit
    image = torch.randn(1, 3, 32, 32, device="cuda")
    assert pruned.module.cuda()(image).isfinite().all()

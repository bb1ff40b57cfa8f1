"""Measuring on a GPU, where one is there."""

import pytest
import timm
import torch

from ap_bench.measuring.bench import bench
from ap_bench.measuring.machine import machine
from ap_bench.measuring.networks import Network
from ap_bench.measuring.options import BenchOptions
from ap_bench.measuring.settings import Backend, Settings
from ap_core.contracts import Precision
from ap_core.errors import ModelError, UsageError

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is there"),
    pytest.mark.filterwarnings("default"),
]


def network():
    module = timm.create_model("test_resnet", num_classes=3).eval()
    return Network(name="small", module=module, input_size=(3, 64, 64))


@pytest.mark.parametrize("dtype", list(Precision))
@pytest.mark.parametrize("backend", [Backend.EAGER, Backend.COMPILE])
def test_a_network_runs_on_a_gpu_and_its_memory_is_told(dtype, backend):
    settings = Settings(device="cuda:0", dtype=dtype, backend=backend, batch_size=2)
    prepared = network().prepare(settings)
    assert all(seconds > 0 for seconds in prepared.block(3))
    prepared.move()
    assert all(seconds > 0 for seconds in prepared.block(3))
    assert prepared.memory is not None
    assert prepared.memory.peak > 0
    assert prepared.denormals is None


def test_a_batch_that_a_gpu_cannot_hold_is_refused_naming_one_that_it_can():
    with pytest.raises(ModelError, match="does not fit in the memory of cuda:0") as caught:
        network().prepare(Settings(device="cuda:0", batch_size=2**22))
    assert caught.value.hint.startswith("--batch-size ")


def test_threads_do_nothing_on_a_gpu():
    with pytest.raises(UsageError, match="--threads does nothing on cuda:0"):
        bench(["test_resnet"], BenchOptions(device=("cuda",), threads=(1,)))


def test_the_gpu_is_in_every_result():
    assert torch.cuda.get_device_name(0) in machine()["gpu 0"]


@pytest.mark.parametrize("fresh", [False, True])
def test_subjects_are_compared_on_a_gpu(fresh):
    options = BenchOptions(device=("auto",), rounds=6, fresh=fresh)
    found = bench(["test_resnet", "test_resnet"], options)
    assert [each.settings.device for each in found.results] == ["cuda:0"] * 2
    assert found.results[1].ratio is not None

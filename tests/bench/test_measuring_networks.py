"""Small networks in every type, format and backend; their memory, their denormal numbers."""

from importlib.util import find_spec

import pytest
import timm
import torch
from measured import result
from torch import nn
from torch._inductor import config as inductor

from ap_bench.exporting.onnx_format import write_onnx
from ap_bench.exporting.opset import OPSET
from ap_bench.measuring.cautions import warn_of_denormals
from ap_bench.measuring.denormals import Denormals, denormals_of
from ap_bench.measuring.failures import does_not_fit, explained, largest_that_fits
from ap_bench.measuring.memory import available, peak_of_pass, tensor_bytes
from ap_bench.measuring.meter import compare_modules
from ap_bench.measuring.networks import Network, images_for
from ap_bench.measuring.onnx_files import open_onnx
from ap_bench.measuring.settings import Backend, MemoryFormat, Settings, check
from ap_core.contracts import ExportRequest, Precision
from ap_core.errors import ModelError, UsageError

SIZE = (3, 64, 64)

needs_onnx = pytest.mark.skipif(
    find_spec("onnxscript") is None, reason="ap-bench[onnx] is not here"
)


def network(module=None, name="small"):
    module = module or timm.create_model("test_resnet", num_classes=3).eval()
    return Network(name=name, module=module, input_size=SIZE)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@pytest.mark.parametrize("dtype", [Precision.FP32, Precision.BF16])
@pytest.mark.parametrize("memory_format", list(MemoryFormat))
def test_a_network_runs_in_every_type_and_format_and_stays_what_it_was(name, dtype, memory_format):
    size = {"img_size": 64} if name == "test_vit" else {}
    module = timm.create_model(name, num_classes=3, **size).eval()
    before = next(module.parameters()).clone()
    settings = Settings(dtype=dtype, memory_format=memory_format, batch_size=2)
    prepared = network(module).prepare(settings)
    assert all(seconds > 0 for seconds in prepared.block(2))
    assert torch.equal(next(module.parameters()), before)
    assert before.dtype is torch.float32


@pytest.mark.parametrize("dtype", list(Precision))
def test_images_are_of_the_type_and_format_that_is_asked_for(dtype):
    settings = Settings(dtype=dtype, memory_format=MemoryFormat.CHANNELS_LAST, batch_size=2)
    images = images_for(SIZE, settings)
    assert images.shape == (2, *SIZE)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert str(images.dtype) == {
        "fp32": "torch.float32", "bf16": "torch.bfloat16", "fp16": "torch.float16",
    }[dtype]  # fmt: skip


@needs_onnx
def test_a_network_is_exported_for_onnxruntime():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2)).eval()
    module(torch.zeros(1, *SIZE))
    settings = Settings(backend=Backend.ONNXRUNTIME, threads=1)
    found = network(module)
    found.check(settings)
    assert len(found.prepare(settings).block(3)) == 3


def test_networks_of_one_class_are_all_compiled():
    class Plain(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer = nn.Linear(64, width)

        def forward(self, images):
            return self.layer(images)

    settings = Settings(backend=Backend.COMPILE, threads=1)
    with torch._dynamo.config.patch(
        recompile_limit=1, accumulated_recompile_limit=2, fail_on_recompile_limit_hit=True
    ):
        for width in range(3, 6):
            network(Plain(width)).prepare(settings).block(1)


def test_what_the_compiler_cannot_do_is_said():
    module = nn.Sequential(nn.ReLU(), nn.Sigmoid())
    with (
        inductor.patch({"cpp.cxx": ("/no/such/compiler",)}),
        pytest.raises(ModelError, match=r"small cannot be compiled \(cpu, fp32, batch 1\)") as e,
    ):
        network(module).prepare(Settings(backend=Backend.COMPILE))
    assert e.value.hint == "take --backend eager; -v shows what the compiler said"


class Fp32Alone(nn.Module):
    def forward(self, images):
        if images.dtype != torch.float32:
            raise NotImplementedError("no kernel for this type")
        return images


def test_a_type_that_a_network_cannot_do_is_said():
    with pytest.raises(ModelError) as caught:
        network(Fp32Alone()).prepare(Settings(dtype=Precision.FP16))
    assert caught.value.message == (
        "small cannot be run (cpu, fp16, batch 1, eager): no kernel for this type"
    )
    assert "--dtype fp32" in caught.value.hint


# ---- memory


def test_the_memory_of_a_pass_is_what_lives_at_once():
    layers = nn.Sequential(*(nn.Linear(100, 100) for _ in range(5)))
    images = torch.zeros(10, 100)
    assert peak_of_pass(layers, images) == 3 * images.nbytes
    assert tensor_bytes(layers) == 5 * (100 * 100 + 100) * 4


def test_memory_is_bounded_by_every_control_group_around_a_process(tmp_path, monkeypatch):
    groups, job = tmp_path / "groups", tmp_path / "groups" / "jobs" / "mine"
    job.mkdir(parents=True)
    for place, most, used, idle in ((job.parent, 10**6, 4 * 10**5, 0), (job, 10**6, 10**6, 10**5)):
        (place / "memory.max").write_text(f"{most}\n")
        (place / "memory.current").write_text(f"{used}\n")
        (place / "memory.stat").write_text(f"anon 1\ninactive_file {idle}\n")
    (tmp_path / "cgroup").write_text("4:memory:/other\n0::/jobs/mine\n")
    monkeypatch.setattr("ap_bench.measuring.memory.GROUPS", groups)
    monkeypatch.setattr("ap_bench.measuring.memory.GROUP", tmp_path / "cgroup")
    assert available() == 10**5
    (job / "memory.max").write_text("max\n")
    assert available() == 6 * 10**5
    (job.parent / "memory.max").write_text("max\n")
    assert available() > 10**6


def test_what_works_in_place_takes_no_more_memory():
    images = torch.zeros(10, 100)
    layers = nn.Sequential(nn.Linear(100, 100), nn.ReLU(inplace=True), nn.Unflatten(1, (10, 10)))
    assert peak_of_pass(layers, images) == 2 * images.nbytes


def test_the_memory_of_a_network_is_its_weights_and_one_pass():
    small, large = (network().prepare(Settings(batch_size=n)).memory for n in (1, 8))
    assert large.kind == "tensors"
    assert tensor_bytes(network().module) < small.peak < large.peak


@pytest.mark.skipif(available() is None, reason="the system does not say how much memory there is")
def test_a_batch_that_memory_cannot_hold_is_refused_naming_one_that_it_can():
    with pytest.raises(ModelError) as caught:
        network().prepare(Settings(batch_size=10**9))
    assert caught.value.message == "small with a batch of 1,000,000,000 does not fit in memory"
    fits = int(caught.value.hint.split()[1])
    assert caught.value.hint == f"--batch-size {fits} fits"
    assert 1 < fits < 10**9


def test_the_largest_half_of_a_batch_that_fits_is_found():
    def attempt(batch_size):
        if batch_size > 300:
            raise torch.OutOfMemoryError

    assert largest_that_fits(attempt, 4096) == 256
    assert largest_that_fits(lambda n: attempt(n + 300), 4096) == 0


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_memory_that_runs_out_is_no_traceback(error):
    settings = Settings(device="cuda:0", batch_size=64)
    with pytest.raises(ModelError) as caught, explained("small", settings):
        raise error
    assert caught.value.message == "small with a batch of 64 does not fit in the memory of cuda:0"
    assert caught.value.hint == "take a smaller --batch-size"


def test_what_goes_wrong_while_rounds_are_made_is_no_traceback_either():
    class Tiring(nn.Module):
        passes = 0

        def forward(self, images):
            Tiring.passes += 1
            if Tiring.passes > 2:
                raise RuntimeError("tired")
            return images

    prepared = Network(name="tiring", module=Tiring().eval(), input_size=(3, 8, 8)).prepare(
        Settings(threads=1)
    )
    with pytest.raises(ModelError, match=r"tiring cannot be run \(.*\): tired"):
        prepared.block(3)


@needs_onnx
def test_a_file_that_is_gone_when_a_round_begins_is_no_traceback(tmp_path):
    path = tmp_path / "small.onnx"
    request = ExportRequest(
        input_size=(3, 32, 32), batch_size=1, precision=Precision.FP32, opset=OPSET
    )
    write_onnx(timm.create_model("test_vit", img_size=32).eval(), request, path)
    prepared = open_onnx("small", path).prepare(Settings(backend=Backend.ONNXRUNTIME, threads=1))
    prepared.move()
    path.unlink()
    with pytest.raises(ModelError, match="small cannot be run"):
        prepared.move()


def test_where_not_even_one_image_fits_that_is_said():
    error = does_not_fit("small", Settings(batch_size=2), 0)
    assert error.message == "small with a batch of 2 does not fit in memory, nor does one image"


# ---- denormal numbers


def test_denormal_weights_and_activations_are_counted():
    module = nn.Linear(4, 3, bias=False)
    assert denormals_of(module, torch.ones(2, 4)) == Denormals(weights=0, activations=0)
    with torch.no_grad():
        module.weight.fill_(1e-40)
    assert denormals_of(module, torch.ones(2, 4)) == Denormals(weights=12, activations=6)


def test_zeros_are_no_denormal_numbers():
    assert denormals_of(nn.ReLU(), -torch.ones(5)) == Denormals(weights=0, activations=0)


def test_a_network_that_computes_with_denormal_numbers_is_told_of_once(heard):
    module = nn.Flatten()
    with torch.no_grad():
        tiny = nn.Sequential(nn.Conv2d(3, 1, 64), module)
        tiny[0].weight.fill_(1e-42)
        tiny[0].bias.fill_(0)
    prepared = network(tiny).prepare(Settings())
    assert prepared.denormals is not None
    assert prepared.denormals.weights == 3 * 64 * 64
    warn_of_denormals([[result(denormals=prepared.denormals)]] * 2, heard)
    (said,) = heard.warnings
    assert said.startswith("small computes with denormal numbers")
    assert "12,288 of its weights" in said


# ---- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(device="cuda:0", threads=2), "--threads does nothing on cuda:0"),
        (
            Settings(backend=Backend.ONNXRUNTIME, memory_format=MemoryFormat.CHANNELS_LAST),
            "--memory-format channels-last does nothing in onnxruntime",
        ),
        (
            Settings(backend=Backend.ONNXRUNTIME, dtype=Precision.BF16),
            "cannot be given images in bf16",
        ),
        (Settings(backend=Backend.ONNXRUNTIME, device="mps"), "onnxruntime does not run on mps"),
    ],
)
def test_what_would_do_nothing_is_refused(settings, words):
    with pytest.raises(UsageError, match=words) as caught:
        check(settings)
    assert caught.value.hint


def test_modules_at_hand_are_compared():
    modules = [nn.Flatten(), nn.Flatten()]
    timings = compare_modules(modules, (1, 2, 2), Settings(threads=1), rounds=2)
    assert [len(each.rounds) for each in timings] == [2, 2]

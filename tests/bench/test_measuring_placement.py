"""Networks laid elsewhere in memory compute what they did, from other memory."""

from importlib.util import find_spec
from operator import ne
from random import Random
from weakref import ref

import pytest
import timm
import torch
from torch import nn

from ap_bench.exporting.onnx_format import write_onnx
from ap_bench.exporting.opset import OPSET
from ap_bench.measuring.networks import FORMATS, Network, prepare_module
from ap_bench.measuring.placement import BEFORE_A_TENSOR, Placement, Rebuilt
from ap_bench.measuring.settings import Backend, MemoryFormat, Settings
from ap_core.contracts import ExportRequest, Precision

SIZE = (3, 32, 32)

needs_onnx = pytest.mark.skipif(
    find_spec("onnxscript") is None, reason="ap-bench[onnx] is not here"
)


def tensors_of(module):
    return (*module.parameters(), *module.buffers())


def seeing(seen):
    """A module that says at every pass what its tensors and images are, and what it computes."""

    class Seeing(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = timm.create_model("test_resnet", num_classes=3)

        def forward(self, images):
            tensors = (*tensors_of(self), images)
            seen["places"] = [each.untyped_storage().data_ptr() for each in tensors]
            seen["tensors"] = [each.detach().clone() for each in tensors]
            seen["strides"] = [each.stride() for each in tensors]
            seen["results"] = self.network(images)
            return seen["results"]

    return Seeing().eval()


@pytest.mark.parametrize("memory_format", list(MemoryFormat))
def test_every_tensor_lies_elsewhere_and_holds_what_it_held(memory_format):
    settings = Settings(memory_format=memory_format, dtype=Precision.BF16)
    seen = {}

    def make():
        return seeing(seen).to(torch.bfloat16).to(memory_format=FORMATS[memory_format])

    prepared = prepare_module("small", make, SIZE, settings)
    before = dict(seen)
    prepared.move()
    prepared.block(1)
    assert seen["strides"] == before["strides"]
    assert all(map(ne, seen["places"], before["places"]))
    assert all(map(torch.equal, seen["tensors"], before["tensors"]))
    assert torch.equal(seen["results"], before["results"])


def test_what_a_network_left_is_given_back():
    """The module that was rebuilt is not kept: its weights would be in memory twice."""
    made = []

    def make():
        module = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
        made.append(ref(module))
        return module

    prepared = prepare_module("small", make, SIZE, Settings(threads=1))
    assert made[0]() is not None
    prepared.move()
    assert made[0]() is None
    assert prepared.memory.peak > 0
    assert prepared.denormals.weights == 0


def test_what_shares_memory_goes_on_sharing_it():
    whole = torch.arange(12.0)
    part, turned = whole[2:8], whole.view(3, 4).t()
    Placement(Random(0)).change((whole, part, turned))
    whole[3] = 40
    assert part[1] == 40
    assert turned[3, 0] == 40
    assert part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()


@pytest.mark.parametrize("inference", [False, True])
def test_a_module_is_rebuilt_around_the_same_memory(inference):
    with torch.inference_mode(mode=inference):
        module = timm.create_model("test_resnet", num_classes=3).eval()
    module.tied = nn.ModuleList([module.fc, module.fc])
    images, rebuilt = torch.randn(1, *SIZE), Rebuilt(module)
    with torch.inference_mode(mode=inference):
        before = rebuilt(images)
    rebuilt.rebuild()
    found = rebuilt.module
    assert found is not module
    assert found.tied[0] is found.tied[1] is found.fc is not module.fc
    for old, new in zip(tensors_of(module), tensors_of(found), strict=True):
        assert old is not new
        assert type(old) is type(new)
        assert old.requires_grad == new.requires_grad
        assert old.data_ptr() == new.data_ptr()
    with torch.inference_mode(mode=inference):
        assert torch.equal(rebuilt(images), before)


def test_draws_decide_how_much_padding_lies_between_tensors():
    def sizes(seed):
        placement = Placement(Random(seed))
        placement.change([torch.zeros(10) for _ in range(20)])
        return [each.nbytes for each in placement._padding]

    assert sizes(0) == sizes(0) != sizes(1)
    assert len(set(sizes(0))) > 10
    assert max(sizes(0)) <= BEFORE_A_TENSOR


def test_moving_takes_no_more_memory_every_time():
    tensor, held = torch.zeros(10), []
    placement = Placement(Random(0))
    for _ in range(5):
        placement.change([tensor])
        held.append(len(placement._padding))
    assert held == [1] * 5


@pytest.mark.parametrize("inference", [False, True])
def test_a_compiled_network_is_not_compiled_again(inference):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    network = Network(name="small", module=module, input_size=SIZE)
    with torch.inference_mode(mode=inference):
        prepared = network.prepare(Settings(backend=Backend.COMPILE, threads=1))
        with torch._dynamo.config.patch(error_on_recompile=True):
            prepared.move()
            assert len(prepared.block(2)) == 2


@needs_onnx
def test_a_session_is_opened_anew(tmp_path):
    path = tmp_path / "network.onnx"
    from ap_bench.measuring.onnx_sessions import Reopening, Session

    request = ExportRequest(input_size=SIZE, batch_size=1, precision=Precision.FP32, opset=OPSET)
    write_onnx(timm.create_model("test_resnet", num_classes=3).eval(), request, path)
    settings = Settings(backend=Backend.ONNXRUNTIME, threads=1)
    opened = []

    def start():
        opened.append(Session(path.read_bytes(), SIZE, settings))
        return opened[-1]

    session = Reopening(start, torch.device("cpu"))
    session.release()
    assert session._session is None
    session.move()
    session.run()
    session.wait()
    assert len(opened) == 2
    first, second = (each._binding.copy_outputs_to_cpu()[0] for each in opened)
    assert (first == second).all()

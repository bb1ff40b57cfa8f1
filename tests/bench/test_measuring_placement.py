"""Networks laid elsewhere in memory compute what they did, from other memory."""

from importlib.util import find_spec
from random import Random

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


def places_of(tensors):
    return [each.untyped_storage().data_ptr() for each in tensors]


def seen(results):
    """A module that keeps what it computes, for the test to look at."""

    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = timm.create_model("test_resnet", num_classes=3)

        def forward(self, images):
            results.append(self.network(images))
            return results[-1]

    return Seen().eval()


@pytest.mark.parametrize("memory_format", list(MemoryFormat))
def test_every_tensor_lies_elsewhere_and_holds_what_it_held(memory_format):
    settings = Settings(memory_format=memory_format, dtype=Precision.BF16)
    results = []
    module = seen(results).to(torch.bfloat16).to(memory_format=FORMATS[memory_format])
    prepared = prepare_module("small", lambda: module, SIZE, settings)
    tensors = (*module.parameters(), *module.buffers())
    before = [(each.clone(), each.stride(), place)
              for each, place in zip(tensors, places_of(tensors), strict=True)]  # fmt: skip
    prepared.move()
    for each, (values, strides, place) in zip(tensors, before, strict=True):
        assert torch.equal(each, values)
        assert each.stride() == strides
        assert each.untyped_storage().data_ptr() != place
    prepared.block(1)
    assert torch.equal(results[0], results[-1])


def test_what_shares_memory_goes_on_sharing_it():
    whole = torch.arange(12.0)
    part, turned = whole[2:8], whole.view(3, 4).t()
    Placement((whole, part, turned), Random(0)).change()
    whole[3] = 40
    assert part[1] == 40
    assert turned[3, 0] == 40
    assert part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()


def test_a_module_is_rebuilt_around_the_same_tensors():
    module = timm.create_model("test_resnet", num_classes=3).eval()
    module.tied = nn.ModuleList([module.fc, module.fc])
    images, rebuilt = torch.randn(1, *SIZE), Rebuilt(module)
    before = rebuilt(images)
    rebuilt.rebuild()
    found = rebuilt._module
    assert found is not module
    assert found.tied[0] is found.tied[1] is found.fc is not module.fc
    assert all(one is other for one, other in zip(
        (*found.parameters(), *found.buffers()), (*module.parameters(), *module.buffers()),
        strict=True,
    ))  # fmt: skip
    assert torch.equal(rebuilt(images), before)


def test_draws_decide_how_much_padding_lies_between_tensors():
    def sizes(seed):
        placement = Placement([torch.zeros(10) for _ in range(20)], Random(seed))
        placement.change()
        return [each.nbytes for each in placement._padding]

    assert sizes(0) == sizes(0) != sizes(1)
    assert len(set(sizes(0))) > 10
    assert max(sizes(0)) <= BEFORE_A_TENSOR


def test_moving_takes_no_more_memory_every_time():
    tensor, held = torch.zeros(10), []
    placement = Placement([tensor], Random(0))
    for _ in range(5):
        placement.change()
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
    session.move()
    session.run()
    session.wait()
    assert len(opened) == 2
    first, second = (each._binding.copy_outputs_to_cpu()[0] for each in opened)
    assert (first == second).all()

"""Networks in less than float32: pruned end to end in their own type, compared in float32."""

import pytest
import timm
import torch
from surgery_cases import disturb, random_plan
from torch import nn

from ap_core import load_model, prune
from ap_models.adapters.generic import GenericAdapter
from ap_models.adapters.vit import VisionTransformerAdapter

SIZES = {"test_resnet": (3, 64, 64), "test_vit": (3, 160, 160)}


def half(name: str) -> nn.Module:
    """Network in bfloat16, its attention as sharp as a trained one's."""
    torch.manual_seed(0)
    module = disturb(timm.create_model(name, num_classes=10).eval())
    with torch.no_grad():
        for path, parameter in module.named_parameters():
            parameter.mul_(8 if path.endswith("qkv.weight") else 1)
    return module.to(torch.bfloat16)


@pytest.mark.parametrize("name", SIZES)
def test_a_bfloat16_network_is_pruned_and_stays_one(name: str, tmp_path) -> None:
    run = tmp_path / "run"
    module = half(name)
    pruned = prune(module, target_macs="50%", input_size=SIZES[name], output=run)
    again = load_model(run, factory=lambda: half(name))
    for network in (pruned.module, again):
        assert {p.dtype for p in network.parameters()} == {torch.bfloat16}
        assert network(torch.randn(2, *SIZES[name]).bfloat16()).shape == (2, 10)
    assert {p.dtype for p in module.parameters()} == {torch.bfloat16}


def test_a_smaller_head_in_bfloat16_computes_what_the_masked_one_does() -> None:
    adapter, module = VisionTransformerAdapter(), half("test_vit")
    architecture = adapter.describe(module, name="live:", input_size=SIZES["test_vit"])
    tracing = adapter.trace(module, architecture)
    plan = random_plan(tracing.network)
    masked = adapter.mask(module, tracing, plan)
    cut = adapter.copy(module)
    adapter.cut(cut, tracing, plan)
    size = architecture.input_size
    assert adapter.difference(masked, cut, input_size=size, seed=0) < 1e-4
    assert adapter.difference(module, cut, input_size=size, seed=0) > 1e-2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_of_every_type_are_compared(dtype: torch.dtype) -> None:
    one = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).to(dtype)
    other = GenericAdapter().copy(one)
    with torch.no_grad():
        other[1].bias += 1
    size = (3, 2, 2)
    assert GenericAdapter().difference(one, one, input_size=size, seed=0) == 0
    assert GenericAdapter().difference(one, other, input_size=size, seed=0) > 0.1
    assert {p.dtype for p in one.parameters()} == {dtype}

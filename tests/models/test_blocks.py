"""Blocks are dropped exactly: what is left computes what the silenced whole network does."""

import pytest
import torch
from surgery_cases import disturb
from torch import nn

from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.cost import CostModel
from ap_core.testing.plans import random_plan
from ap_models.adapters.convnext import ConvNeXtAdapter
from ap_models.adapters.generic import GenericAdapter
from ap_models.adapters.resnet import ResNetAdapter
from ap_models.adapters.vit import VisionTransformerAdapter
from ap_models.branches import Nothing, droppable, stand_ins
from ap_models.counters import count_macs, count_params

SIZE = (3, 64, 64)
CASES = [
    (ResNetAdapter, "test_resnet"),
    (ResNetAdapter, "seresnet50"),
    (ResNetAdapter, "torchvision/resnet18"),
    (ConvNeXtAdapter, "test_convnext"),
    (ConvNeXtAdapter, "convnextv2_atto"),
    (ConvNeXtAdapter, "torchvision/convnext_tiny"),
    (VisionTransformerAdapter, "test_vit"),
    (VisionTransformerAdapter, "deit_tiny_distilled"),
    (VisionTransformerAdapter, "deit3_small_patch16_224"),
    (VisionTransformerAdapter, "torchvision/vit_b_16"),
]


def traced(kind, name):
    adapter = kind()
    request = ModelRequest(name=name, input_size=SIZE, num_classes=10, weights=WeightsPolicy.RANDOM)
    found = adapter.load(request)
    disturb(found.module)
    return adapter, found.module, adapter.trace(found.module, found.architecture)


@pytest.fixture(params=CASES, ids=[name for _, name in CASES], scope="module")
def case(request):
    adapter, module, tracing = traced(*request.param)
    names = [block.name for block in tracing.network.blocks]
    whole = {branch.path for branch in tracing.branches if branch.holder == "blocks.0"}
    plan = random_plan(tracing.network, share=0.7, seed=0, drop={*names[::2], *whole})
    cut = adapter.copy(module)
    surgery = adapter.cut(cut, tracing, plan)
    return adapter, module, tracing, plan, cut, surgery


def test_what_is_left_computes_what_the_silenced_network_does(case):
    adapter, module, tracing, plan, cut, _ = case
    masked = adapter.mask(module, tracing, plan)
    assert adapter.difference(masked, cut, input_size=SIZE, seed=0) < 1e-5
    assert adapter.difference(module, cut, input_size=SIZE, seed=0) > 0


def test_what_is_left_costs_what_was_predicted(case):
    _, _, tracing, plan, cut, _ = case
    assert CostModel(tracing.network).macs(plan.widths) == plan.macs == count_macs(cut, SIZE)
    assert plan.params == count_params(cut)


def test_it_is_the_same_after_a_reload(case, tmp_path):
    adapter, module, _, _, cut, surgery = case
    adapter.save(cut, tmp_path / "cut.safetensors")
    again = adapter.restore(adapter.blank(module), surgery, tmp_path / "cut.safetensors")
    assert not adapter.unlike(cut, again)


def test_it_can_be_trained(case):
    _, _, _, _, cut, _ = case
    cut.train()
    outputs = cut(torch.randn(2, *SIZE))
    outputs = outputs if isinstance(outputs, torch.Tensor) else sum(outputs)
    outputs.square().mean().backward()
    cut.eval()
    assert all(p.grad is not None for p in cut.parameters() if p.requires_grad)


def test_it_is_exported_as_any_network(case):
    _, _, _, _, cut, _ = case
    images = torch.randn(2, *SIZE)
    exported = torch.export.export(cut, (images,))
    torch.testing.assert_close(exported.module()(images), cut(images))


def test_a_transformer_block_without_any_branch_is_an_identity():
    _, module, tracing = traced(VisionTransformerAdapter, "test_vit")
    plan = random_plan(
        tracing.network, share=1.0, seed=0, drop={"blocks.0.attn", "blocks.0.mlp", "blocks.1.mlp"}
    )
    VisionTransformerAdapter().cut(module, tracing, plan)
    assert type(module.blocks[0]) is nn.Identity
    assert type(module.blocks[1].mlp) is Nothing
    assert type(module.blocks[1].norm2) is nn.Identity
    assert not isinstance(module.blocks[1].norm1, nn.Identity)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (ResNetAdapter, "resnet18", {"layer1.0", "layer1.1", "layer2.1", "layer3.1", "layer4.1"}),
        (ConvNeXtAdapter, "test_convnext", {"stages.0.blocks.0", "stages.1.blocks.1"}),
    ],
)
def test_only_blocks_with_a_plain_shortcut_can_be_dropped(kind, name, expected):
    _, _, tracing = traced(kind, name)
    assert expected <= {block.name for block in tracing.network.blocks}
    for block in tracing.network.blocks:
        assert not block.name.endswith("downsample")


def test_blocks_behind_another_activation_than_relu_stay():
    adapter, module, _ = traced(ResNetAdapter, "resnet18")
    for child in module.modules():
        if hasattr(child, "act2"):
            child.act2 = nn.SiLU()
    assert not list(adapter.branches(module))


def test_a_block_that_shares_a_parameter_with_another_stays():
    adapter, module, _ = traced(ResNetAdapter, "resnet18")
    before = {branch.path for branch in droppable(module, adapter.branches(module))}
    module.layer1[1].conv1.weight = module.layer1[0].conv1.weight
    after = {branch.path for branch in droppable(module, adapter.branches(module))}
    assert before - after == {"layer1.0", "layer1.1"}


def test_networks_of_no_known_family_have_no_blocks():
    _, _, tracing = traced(GenericAdapter, "test_efficientnet")
    assert tracing.network.blocks == ()


def test_the_last_branch_of_a_block_takes_the_block_along():
    adapter, module, _ = traced(VisionTransformerAdapter, "test_vit")
    branches = droppable(module, adapter.branches(module))
    assert stand_ins(branches, ["blocks.2.attn", "blocks.2.mlp"]) == {"blocks.2": "identity"}
    assert stand_ins(branches, ["blocks.2.attn"])["blocks.2.attn"] == "nothing"
    assert stand_ins(branches, []) == {}


def test_nothing_of_a_dropped_branch_is_saved():
    adapter, module, tracing = traced(VisionTransformerAdapter, "test_vit")
    plan = random_plan(tracing.network, share=1.0, seed=0, drop={"blocks.0.mlp"})
    adapter.cut(module, tracing, plan)
    gone = ("blocks.0.mlp", "blocks.0.norm2", "blocks.0.ls2")
    assert not [name for name in module.state_dict() if name.startswith(gone)]

"""Cutting is exact: same function as masking, same cost as predicted, same bytes after a reload."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from surgery_cases import disturb, random_plan
from torch import nn

from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.errors import CheckpointError
from ap_core.network import GroupKind
from ap_models.adapters.base import DependencyGraphAdapter
from ap_models.adapters.convnext import ConvNeXtAdapter
from ap_models.adapters.generic import GenericAdapter
from ap_models.adapters.resnet import ResNetAdapter
from ap_models.adapters.vit import VisionTransformerAdapter
from ap_models.counters import count_macs, count_params

CASES = [
    (ResNetAdapter, "test_resnet", 64),
    (ResNetAdapter, "resnext50_32x4d", 64),
    (ResNetAdapter, "torchvision/resnet18", 64),
    (ConvNeXtAdapter, "test_convnext", 64),
    (ConvNeXtAdapter, "convnextv2_atto", 64),
    (ConvNeXtAdapter, "torchvision/convnext_tiny", 64),
    (VisionTransformerAdapter, "test_vit", 64),
    (VisionTransformerAdapter, "deit_tiny", 64),
    (VisionTransformerAdapter, "torchvision/vit_b_16", 64),
    (GenericAdapter, "test_efficientnet", 64),
    (GenericAdapter, "densenet121", 64),
    (GenericAdapter, "regnetx_002", 64),
    (GenericAdapter, "test_mambaout", 64),
]


def loaded(adapter: DependencyGraphAdapter, name: str, side: int):
    request = ModelRequest(
        name=name, input_size=(3, side, side), num_classes=10, weights=WeightsPolicy.RANDOM
    )
    found = adapter.load(request)
    disturb(found.module)
    return found.module, found.architecture


def cut_resnet():
    adapter = ResNetAdapter()
    module, architecture = loaded(adapter, "test_resnet", 64)
    tracing = adapter.trace(module, architecture)
    cut = adapter.copy(module)
    surgery = adapter.cut(cut, tracing, random_plan(tracing.network))
    return adapter, module, cut, surgery


@pytest.fixture(params=CASES, ids=[case[1] for case in CASES], scope="module")
def case(request):
    kind, name, side = request.param
    adapter = kind()
    module, architecture = loaded(adapter, name, side)
    tracing = adapter.trace(module, architecture)
    return adapter, module, tracing, random_plan(tracing.network)


def test_the_cut_network_computes_what_the_masked_one_does(case) -> None:
    adapter, module, tracing, plan = case
    masked = adapter.mask(module, tracing, plan)
    cut = adapter.copy(module)
    adapter.cut(cut, tracing, plan)
    size = tracing.network.input_size
    assert adapter.difference(masked, cut, input_size=size, seed=1) < 1e-4
    assert adapter.difference(module, cut, input_size=size, seed=1) > 1e-3


def test_predicted_costs_are_counted_on_the_cut_network(case) -> None:
    adapter, module, tracing, plan = case
    cut = adapter.copy(module)
    adapter.cut(cut, tracing, plan)
    assert count_macs(cut, tracing.network.input_size) == plan.macs
    assert count_params(cut) == plan.params


def test_a_network_restored_on_meta_has_the_same_tensors(case, tmp_path: Path) -> None:
    adapter, module, tracing, plan = case
    cut = adapter.copy(module)
    surgery = adapter.cut(cut, tracing, plan)
    adapter.save(cut, tmp_path / "cut.safetensors")
    again = adapter.restore(adapter.blank(module), surgery, tmp_path / "cut.safetensors")
    expected, found = cut.state_dict(), again.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    size = tracing.network.input_size
    assert adapter.difference(cut, again, input_size=size, seed=1) < 1e-5


def test_classifier_and_input_are_never_cut(case) -> None:
    adapter, module, tracing, plan = case
    cut = adapter.copy(module)
    adapter.cut(cut, tracing, plan)
    with torch.no_grad():
        output = cut.eval()(torch.randn(2, *tracing.network.input_size))
    assert output.shape == (2, 10)


def test_a_cut_network_can_be_trained(case) -> None:
    adapter, module, tracing, plan = case
    cut = adapter.copy(module).requires_grad_()
    adapter.cut(cut, tracing, plan)
    cut(torch.randn(2, *tracing.network.input_size)).sum().backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in cut.parameters())


def test_masking_leaves_the_whole_network_as_it_was(case) -> None:
    adapter, module, tracing, plan = case
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    adapter.mask(module, tracing, plan)
    assert all(torch.equal(before[n], t) for n, t in module.state_dict().items())


def test_heads_and_head_size_of_a_vit_are_cut_and_its_attributes_follow() -> None:
    adapter = VisionTransformerAdapter()
    module, architecture = loaded(adapter, "deit_tiny", 64)
    tracing = adapter.trace(module, architecture)
    plan = random_plan(tracing.network)
    adapter.cut(module, tracing, plan)
    attention = module.blocks[3].attn
    heads, size = plan.widths["blocks.3.attn.heads"], plan.widths["blocks.3.attn.head_size"]
    assert (attention.num_heads, attention.head_dim) == (heads, size)
    assert attention.attn_dim == heads * size
    assert attention.scale == pytest.approx(size**-0.5)
    residual = next(g for g in tracing.network.groups if g.kind is GroupKind.RESIDUAL)
    assert module.embed_dim == module.num_features == plan.widths[residual.name]
    assert module.norm.normalized_shape == (plan.widths[residual.name],)


def test_torchvision_attention_is_replaced_by_one_with_an_inner_width_of_its_own() -> None:
    adapter = VisionTransformerAdapter()
    module, architecture = loaded(adapter, "torchvision/vit_b_16", 64)
    tracing = adapter.trace(module, architecture)
    plan = random_plan(tracing.network)
    surgery = adapter.cut(module, tracing, plan)
    assert set(surgery.replaced.values()) == {"packed_attention"}
    residual = next(g for g in tracing.network.groups if g.kind is GroupKind.RESIDUAL)
    assert module.hidden_dim == plan.widths[residual.name]


def test_cutting_zero_weights_changes_nothing() -> None:
    adapter = ResNetAdapter()
    module, architecture = loaded(adapter, "test_resnet", 64)
    tracing = adapter.trace(module, architecture)
    plan = random_plan(tracing.network)
    zeroed = adapter.mask(module, tracing, plan)
    cut = adapter.copy(zeroed)
    adapter.cut(cut, tracing, plan)
    assert adapter.difference(zeroed, cut, input_size=(3, 64, 64), seed=3) < 1e-4


class Branches(nn.Module):
    """Concatenation, a grouped convolution, a split gate, flatten into a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 8, 3, padding=1)
        self.two = nn.Conv2d(3, 16, 1)
        self.grouped = nn.Conv2d(24, 24, 3, groups=4, padding=1)
        self.pointwise = nn.Conv2d(24, 32, 1)
        self.norm = nn.GroupNorm(4, 32)
        self.out = nn.Linear(32 * 16, 20)
        self.head = nn.Linear(20, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.one(x), self.two(x)], dim=1)
        x = self.norm(self.pointwise(self.grouped(x).relu())).relu()
        x = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        return self.head(self.out(x).relu())


def test_a_network_of_the_users_own_is_cut_exactly() -> None:
    adapter = GenericAdapter()
    module = disturb(Branches().eval())
    architecture = adapter.describe(module, name="live:Branches", input_size=(3, 16, 16))
    tracing = adapter.trace(module, architecture)
    plan = random_plan(tracing.network)
    masked = adapter.mask(module, tracing, plan)
    cut = adapter.copy(module)
    adapter.cut(cut, tracing, plan)
    assert adapter.difference(masked, cut, input_size=(3, 16, 16), seed=0) < 1e-4
    assert count_macs(cut, (3, 16, 16)) == plan.macs
    lanes = {group.name: group.lanes for group in tracing.network.groups}
    assert lanes["grouped"] == 4


class Shared(nn.Module):
    """One convolution that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 12, 1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.again(self.stem(x)))
        return self.head(self.wide(x).mean((2, 3)))


def test_layers_that_run_twice_keep_their_channels() -> None:
    adapter = GenericAdapter()
    module = disturb(Shared().eval())
    architecture = adapter.describe(module, name="live:Shared", input_size=(3, 8, 8))
    network = adapter.trace(module, architecture).network
    assert [group.name for group in network.free] == ["wide"]


class Tied(nn.Module):
    """Two convolutions that share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.one = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.two = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.two.weight = self.one.weight
        self.wide = nn.Conv2d(8, 12, 1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.two(self.one(self.stem(x)).relu())
        return self.head(self.wide(x).mean((2, 3)))


def test_layers_that_share_weights_keep_their_channels_and_their_tie(tmp_path: Path) -> None:
    adapter = GenericAdapter()
    module = disturb(Tied().eval())
    architecture = adapter.describe(module, name="live:Tied", input_size=(3, 8, 8))
    tracing = adapter.trace(module, architecture)
    assert [group.producers for group in tracing.network.free] == [("wide",)]
    cut = adapter.copy(module)
    surgery = adapter.cut(cut, tracing, random_plan(tracing.network))
    adapter.save(cut, tmp_path / "cut.safetensors")
    again = adapter.restore(adapter.blank(module), surgery, tmp_path / "cut.safetensors")
    assert again.one.weight is again.two.weight
    assert adapter.unlike(cut, again) == ""


def test_widths_that_do_not_fit_the_tensors_are_refused(tmp_path: Path) -> None:
    adapter, module, cut, surgery = cut_resnet()
    adapter.save(cut, tmp_path / "cut.safetensors")
    layer = next(path for path, values in surgery.attributes.items() if "out_channels" in values)
    wrong = {**surgery.attributes, layer: {**surgery.attributes[layer], "out_channels": 3}}
    with pytest.raises(CheckpointError, match=f"the weights of {layer} are"):
        adapter.restore(
            adapter.blank(module), replace(surgery, attributes=wrong), tmp_path / "cut.safetensors"
        )


def test_networks_differ_by_a_bit_a_setting_or_a_class() -> None:
    adapter = ResNetAdapter()
    module, _ = loaded(adapter, "test_resnet", 64)
    assert adapter.unlike(module, adapter.copy(module)) == ""
    bit = adapter.copy(module)
    bit.layer2[0].bn1.running_mean[0] += 1e-6
    assert adapter.unlike(module, bit) == "layer2.0.bn1.running_mean holds other numbers"
    setting = adapter.copy(module)
    setting.conv1.stride = (1, 1)
    assert adapter.unlike(module, setting).startswith("conv1.stride is ")
    other = adapter.copy(module)
    other.act1 = nn.GELU()
    assert adapter.unlike(module, other) == "act1 is a ReLU and a GELU"
    shorter = adapter.copy(module)
    shorter.fc = nn.Sequential()
    assert "fc is a Linear and a Sequential" in adapter.unlike(module, shorter)
    narrower = adapter.copy(module)
    narrower.fc.weight = nn.Parameter(narrower.fc.weight[:, :2])
    assert adapter.unlike(module, narrower).startswith("fc.weight is torch.float32 of (10, ")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    adapter, module, cut, surgery = cut_resnet()
    place = tmp_path / "cut.safetensors"
    adapter.save(cut, place)
    place.write_bytes(place.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"cannot be read"):
        adapter.restore(adapter.blank(module), surgery, place)
    place.unlink()
    with pytest.raises(CheckpointError, match=r"is not there"):
        adapter.restore(adapter.blank(module), surgery, place)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    adapter, module, _, surgery = cut_resnet()
    place = tmp_path / "other.safetensors"
    adapter.save(nn.Linear(3, 4), place)
    with pytest.raises(CheckpointError, match=r"tensors missing, 2 foreign"):
        adapter.restore(adapter.blank(module), surgery, place)

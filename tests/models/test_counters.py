"""Counters of MACs and parameters."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from ap_core.errors import ModelError
from ap_models.counters import (
    count,
    count_macs,
    count_params,
    macs_meter,
    params_meter,
)
from ap_models.loading import zoo


@pytest.mark.parametrize(
    ("name", "params", "macs", "torch_pruning"),
    [
        ("resnet50", 25_557_032, 4.0892, 4.122),
        ("resnet101", 44_549_160, 7.8014, 7.850),
        ("convnext_small", 50_223_688, 8.6837, 8.688),
        ("convnext_base", 88_591_464, 15.3547, 15.360),
        ("deit_tiny_patch16_224", 5_717_416, 1.2537, 1.259),
        ("deit_tiny_distilled_patch16_224", 5_910_800, 1.2610, 1.267),
    ],
)
def test_whole_networks_cost_what_the_design_says(name, params, macs, torch_pruning):
    with torch.device("meta"):
        module = zoo.build(name)
    assert count_params(module) == params
    found = count(module, (3, 224, 224))
    assert round(found.macs / 1e9, 4) == macs
    assert round((found.torch_pruning_macs or 0) / 1e9, 3) == torch_pruning


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), 8 * 3 * 9 * 36),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), 8 * 3 * 9 * 9),
        (nn.Conv2d(3, 9, 3, padding=1, groups=3), 9 * 1 * 9 * 36),
        (nn.ConvTranspose2d(3, 8, 2, stride=2), 8 * 3 * 4 * 36),
        (nn.Sequential(nn.Flatten(), nn.Linear(108, 10)), 1080),
        (nn.Sequential(nn.Flatten(2), nn.Linear(36, 5)), 3 * 36 * 5),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2)), 0),
    ],
)
def test_an_operator_costs_its_formula(layer, macs):
    assert count_macs(layer, (3, 6, 6)) == macs


class Attention(nn.Module):
    """One head over the rows of an image, without projections."""

    def __init__(self, *, fused):
        super().__init__()
        self.fused = fused

    def forward(self, image):
        rows = image.flatten(1, 2)
        if self.fused:
            return scaled_dot_product_attention(rows, rows, rows)
        return (rows @ rows.transpose(1, 2)).softmax(-1) @ rows


@pytest.mark.parametrize("fused", [True, False])
def test_attention_costs_both_of_its_products(fused):
    assert count_macs(Attention(fused=fused), (3, 6, 4)) == 2 * 18 * 18 * 4


def test_attention_modules_with_a_fast_path_are_counted_whole():
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    module = nn.Sequential(nn.Flatten(2), layer).eval()
    projections, mlp, products = 4 * 8 * 8, 2 * 8 * 16, 2 * 5 * 8
    assert count(module, (5, 2, 4)).macs == 5 * (projections + mlp + products)
    assert torch.backends.mha.get_fastpath_enabled()


def test_multiplications_without_a_formula_are_reported():
    class Distances(nn.Module):
        def forward(self, image):
            rows = image.flatten(1, 2)
            return torch.cdist(rows, rows) * torch.mv(rows[0], rows[0, 0]).sum()

    found = count(Distances(), (3, 6, 4))
    assert found.uncounted == ("aten._cdist_forward", "aten.mv")


def test_common_networks_have_nothing_uncounted():
    with torch.device("meta"):
        for name in ("test_resnet", "test_vit", "test_convnext", "test_efficientnet"):
            assert count(zoo.build(name), (3, 160, 160)).uncounted == ()


def test_shared_parameters_count_once_and_buffers_never():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3))
    module[1].weight = module[0].weight
    assert count_params(module) == 9 + 3 + 3 + 6


def test_counting_leaves_the_network_as_it_was():
    module = zoo.build("test_resnet").train()
    module.bn1 = nn.Identity()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    attributes = {name: set(vars(m)) for name, m in module.named_modules()}
    hooks = [len(m._forward_hooks) for m in module.modules()]
    count(module, (3, 64, 64))
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert {name: set(vars(m)) for name, m in module.named_modules()} == attributes
    assert [len(m._forward_hooks) for m in module.modules()] == hooks
    assert all(m.training for m in module.modules())


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(ModelError, match="without weights on an image of 1 x 8 x 8") as caught:
        count_macs(nn.Conv2d(3, 8, 3), (1, 8, 8))
    assert "--input-size" in caught.value.hint


def test_meters_name_what_they_measure():
    module = nn.Conv2d(3, 8, 1)
    size = {"input_size": (3, 4, 4), "data": None}
    assert macs_meter(module, **size) == {"macs": 8 * 3 * 16, "torch_pruning_macs": 8 * 4 * 16}
    assert params_meter(module, **size) == {"params": 32}


def test_where_torch_pruning_trips_over_a_network_ours_still_counts():
    class ByName(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(3, 8, 1)

        def forward(self, x):
            return self.convolution(input=x)

    found = count(ByName(), (3, 4, 4))
    assert found.macs == 8 * 3 * 16
    assert found.torch_pruning_macs is None
    assert found.others == {}


def test_attention_that_is_called_by_keywords_is_counted():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, image):
            tokens = image.flatten(2)
            return self.attention(query=tokens, key=tokens, value=tokens)[0]

    found = count(Tokens(), (5, 2, 4))
    assert found.macs == 5 * 4 * 8 * 8 + 2 * 5 * 5 * 8
    assert found.torch_pruning_macs is None
    assert found.uncounted == ()

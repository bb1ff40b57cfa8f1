"""Noise on fresh networks: nothing that initialisation put there hides an error of the surgery."""

import pytest
import torch
from torch import nn

from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_models.adapters.generic import GenericAdapter

SIZE = (3, 64, 64)


def fresh(name: str) -> nn.Module:
    request = ModelRequest(
        name=name, input_size=SIZE, num_classes=5, weights=WeightsPolicy.RANDOM, seed=1
    )
    return GenericAdapter().load(request).module


def constant(module: nn.Module) -> list[str]:
    """Parameters and statistics of several elements that are all the same number."""
    return [
        name
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() and tensor.numel() > 1 and tensor.min() == tensor.max()
    ]


@pytest.mark.parametrize("name", ["torchvision/convnext_tiny", "test_resnet", "test_vit"])
def test_nothing_stays_constant(name: str) -> None:
    module = fresh(name)
    assert constant(module)
    assert constant(GenericAdapter().perturbed(module, seed=0)) == []


def test_an_error_inside_a_scaled_block_shows() -> None:
    adapter = GenericAdapter()
    module = adapter.perturbed(fresh("torchvision/convnext_tiny"), seed=0)
    wrong = adapter.copy(module)
    with torch.no_grad():
        hidden = wrong.features[1][1].block[3].weight
        hidden.copy_(hidden.roll(1, dims=0))
    assert adapter.difference(module, wrong, input_size=SIZE, seed=0) > 1e-3


def test_variances_stay_above_zero() -> None:
    found = GenericAdapter().perturbed(fresh("test_resnet"), seed=0).state_dict()
    assert all(float(t.min()) > 0 for name, t in found.items() if name.endswith("running_var"))


def test_what_was_drawn_at_random_is_shared_and_the_network_is_left_alone() -> None:
    module = fresh("torchvision/convnext_tiny")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    noisy = GenericAdapter().perturbed(module, seed=0)
    assert noisy.features[1][0].block[0].weight is module.features[1][0].block[0].weight
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


def test_the_noise_is_drawn_by_seed() -> None:
    adapter, module = GenericAdapter(), fresh("test_resnet")
    one, same, other = (adapter.perturbed(module, seed=seed) for seed in (0, 0, 1))
    assert adapter.unlike(one, same) == ""
    assert adapter.unlike(one, other)

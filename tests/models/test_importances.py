"""The built-in importances, one layer at a time."""

import pytest
import torch

from ap_core.contracts import LayerSlice
from ap_core.testing import check_importance
from ap_models.importances.magnitude import bn_scale, l1, l2, uniform
from ap_models.importances.sensitivity import fisher, taylor
from ap_models.plugin import ap_importances, ap_meters, ap_model_adapters

WEIGHT = torch.tensor([[3.0, -4.0], [0.0, 0.0], [1.0, 1.0]])
GRADIENT = torch.tensor([[1.0, 1.0], [5.0, 5.0], [2.0, -1.0]])


def part(role="out", kind="linear", *, gradient=None, bias=None, bias_gradient=None):
    return LayerSlice(
        layer="some",
        kind=kind,
        role=role,
        weight=WEIGHT,
        bias=bias,
        gradient=gradient,
        bias_gradient=bias_gradient,
    )


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("role", ["out", "in"])
@pytest.mark.parametrize(
    ("importance", "scores"),
    [(l1, [7, 0, 2]), (l2, [5, 0, 2**0.5]), (taylor, [1, 0, 1]), (fisher, [1, 0, 1])],
)
def test_scores_follow_the_formula(importance, scores, role):
    found = importance(part(role, gradient=GRADIENT), generator())
    assert torch.allclose(found.double(), torch.tensor(scores, dtype=torch.float64))


def test_the_loss_changes_with_the_bias_too():
    biased = part(
        gradient=GRADIENT, bias=torch.tensor([1.0, 2.0, 3.0]), bias_gradient=torch.ones(3)
    )
    assert taylor(biased, generator()).tolist() == [0, 2, 4]
    assert fisher(biased, generator()).tolist() == [0, 4, 16]


@pytest.mark.parametrize("importance", [l1, l2, uniform, taylor, fisher])
@pytest.mark.parametrize("role", ["norm", "parameter"])
def test_norms_and_bare_parameters_are_left_out(importance, role):
    assert importance(part(role, "bn", gradient=GRADIENT), generator()) is None


def test_only_batch_norms_have_a_scale():
    assert bn_scale(part("norm", "bn"), generator()).tolist() == [7, 0, 2]
    assert bn_scale(part("norm", "ln"), generator()) is None
    assert bn_scale(part("out", "conv"), generator()) is None


def test_noise_depends_on_the_generator_alone():
    one, same, other = (uniform(part(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("offer", ap_importances(), ids=lambda offer: offer.name)
def test_every_importance_conforms(offer):
    check_importance(offer)


def test_what_needs_data_says_so():
    assert {offer.name for offer in ap_importances() if offer.needs_data} == {"taylor", "fisher"}


@pytest.mark.parametrize(
    "offer", [*ap_model_adapters(), *ap_meters()], ids=lambda offer: offer.name
)
def test_every_offer_can_be_made(offer):
    assert offer.make() is not None
    assert offer.summary

"""The engine that runs an importance over a network."""

import numpy as np
import pytest
import torch
from torch import nn

from ap_core.contracts import LayerSlice, ModelRequest, WeightsPolicy
from ap_core.errors import DataError, ModelError, PluginError
from ap_core.network import Group, GroupKind
from ap_core.plugins.offers import ImportanceOffer
from ap_core.strategy import Reduction
from ap_models.adapters.generic import GenericAdapter
from ap_models.importances.scoring import score_groups
from ap_models.parts import Part
from ap_models.plugin import ap_importances

OFFERS = {offer.name: offer for offer in ap_importances()}
HIDDEN = Group(name="hidden", kind=GroupKind.HIDDEN, scope="s", stage="1", width=4)


class Net(nn.Sequential):
    """Three channels of 2 x 2 to four hidden ones to three classes."""

    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)
        )


def parts_of(module, group, *, gradients=False):
    """Producer, norm and consumer of the hidden channels."""
    assert group == "hidden"
    for role, layer in (("out", module[1]), ("norm", module[2]), ("in", module[4])):
        weight, grad = layer.weight, layer.weight.grad
        turn = (lambda t: t.T) if role == "in" else (lambda t: t.reshape(4, -1))
        yield Part(
            slice=LayerSlice(
                layer=role,
                kind="bn" if role == "norm" else "linear",
                role=role,
                weight=turn(weight.detach()),
                bias=None,
                gradient=turn(grad) if gradients else None,
            ),
            index=torch.arange(4),
        )


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def batches():
    torch.manual_seed(1)
    return [(torch.randn(5, 3, 2, 2), torch.tensor([0, 1, 2, 0, 1])) for _ in range(3)]


def run(net, offer, *, batches=(), reduction=Reduction.MEAN, groups=(HIDDEN,), parts=parts_of):
    offer = OFFERS[offer] if isinstance(offer, str) else offer
    return score_groups(
        net, parts, offer, reduction=reduction, batches=batches, seed=0, groups=groups
    )


def offering(importance, *, needs_data=False):
    return ImportanceOffer(name="some", summary="", load=lambda: importance, needs_data=needs_data)


@pytest.mark.parametrize(
    ("reduction", "together"),
    [
        (Reduction.MEAN, lambda a, b: (a + b) / 2),
        (Reduction.SUM, lambda a, b: a + b),
        (Reduction.MAX, np.maximum),
        (Reduction.PRODUCT, lambda a, b: np.sqrt(a * b)),
    ],
)
def test_the_layers_of_a_group_are_reduced_to_one_score(net, reduction, together):
    producer = net[1].weight.detach().norm(dim=1).double().numpy()
    consumer = net[4].weight.detach().norm(dim=0).double().numpy()
    found = run(net, "l2", reduction=reduction)
    assert found.values["hidden"].shape == (1, 4)
    assert found.values["hidden"].dtype == np.float64
    assert np.allclose(found.values["hidden"][0], together(producer, consumer))
    assert (found.importance, found.reduction) == ("l2", reduction.value)


def test_gradients_are_those_of_the_loss_in_eval_mode_summed_over_batches(net, batches):
    found = run(net, "fisher", batches=batches, reduction=Reduction.SUM)
    expected = torch.zeros(4, dtype=torch.float64)
    net.eval()
    for images, labels in batches:
        net.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        expected += (net[1].weight * net[1].weight.grad).double().sum(dim=1).square().detach()
        expected += (net[4].weight * net[4].weight.grad).double().sum(dim=0).square().detach()
    assert np.allclose(found.values["hidden"][0], expected.numpy(), rtol=1e-5)


def test_nothing_is_left_behind(net, batches):
    net[1].bias.requires_grad_(False)
    net[4].bias.grad = torch.ones(3)
    net[2].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    run(net, "taylor", batches=batches)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert [p.requires_grad for p in net.parameters()] == [True, False, True, True, True, True]
    assert torch.equal(net[4].bias.grad, torch.ones(3))
    assert [p.grad for p in list(net.parameters())[:-1]] == [None] * 5
    assert (net.training, net[2].training, net[3].training) == (True, False, True)


def test_nothing_is_left_behind_by_a_failure_either(net):
    with pytest.raises(DataError):
        run(net, "taylor", batches=[(torch.randn(1, 3, 2, 2), torch.tensor([7]))])
    assert net.training
    assert all(p.grad is None for p in net.parameters())


def test_a_frozen_network_can_be_scored(net, batches):
    net.requires_grad_(False)
    assert run(net, "taylor", batches=batches).values["hidden"].any()
    assert not any(p.requires_grad for p in net.parameters())


def test_scores_work_inside_no_grad(net, batches):
    with torch.no_grad():
        assert run(net, "taylor", batches=batches).values["hidden"].any()


@pytest.mark.parametrize("name", ["taylor", "fisher"])
def test_without_data_an_importance_that_needs_it_says_so(net, name):
    with pytest.raises(DataError, match=f"the importance '{name}' needs data") as caught:
        run(net, name)
    assert "--data" in caught.value.hint
    assert "l2" in caught.value.hint


def test_labels_that_the_network_does_not_know_are_refused(net):
    with pytest.raises(DataError, match="labels reach from 0 to 3, but the network knows 3"):
        run(net, "taylor", batches=[(torch.randn(2, 3, 2, 2), torch.tensor([0, 3]))])


def test_a_broken_image_and_a_broken_network_are_told_apart(net, batches):
    image = torch.full((1, 3, 2, 2), float("nan"))
    with pytest.raises(DataError, match="image holds a NaN"):
        run(net, "taylor", batches=[(image, torch.tensor([0]))])
    net[4].weight.data.fill_(float("inf"))
    with pytest.raises(ModelError, match="the loss on the calibration images is"):
        run(net, "taylor", batches=batches)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda n: torch.full((n,), -1.0), "negative or not finite"),
        (lambda n: torch.full((n,), float("nan")), "negative or not finite"),
        (lambda n: torch.ones(n + 1), r"returned \(5,\) instead of \(4,\)"),
        (lambda n: torch.ones(n, 1), r"returned \(4, 1\) instead of \(4,\)"),
        (lambda n: 1.0, r"returned float instead of \(4,\)"),
    ],
)
def test_what_is_no_score_is_refused_under_the_importances_name(net, answer, complaint):
    offer = offering(lambda part, generator: answer(len(part.weight)))
    with pytest.raises(PluginError, match=f"the importance 'some', asked about out, .*{complaint}"):
        run(net, offer)


def test_locked_groups_and_heads_get_no_scores(net):
    locked = Group(name="locked", kind=GroupKind.RESIDUAL, scope="", stage="", width=2, locked="it")
    heads = Group(name="heads", kind=GroupKind.HEADS, scope="", stage="", width=2)
    assert run(net, "l1", groups=(locked, HIDDEN, heads)).values.keys() == {"hidden"}


def test_an_importance_that_finds_nothing_at_all_says_so(net):
    with pytest.raises(ModelError, match="'some' finds nothing to score in this network"):
        run(net, offering(lambda part, generator: None))


def test_a_group_that_an_importance_is_silent_about_gets_the_mean(net):
    silent = Group(name="silent", kind=GroupKind.HIDDEN, scope="", stage="", width=2)
    net[2].weight.data = torch.tensor([1.0, -2.0, 3.0, 4.0])

    def parts(module, group, *, gradients=False):
        return parts_of(module, "hidden") if group == "hidden" else iter(())

    found = run(net, "bn_scale", groups=(HIDDEN, silent), parts=parts)
    assert found.values["hidden"].tolist() == [[1, 2, 3, 4]]
    assert found.values["silent"].tolist() == [[2.5, 2.5]]


def test_parts_may_cover_some_channels_and_hold_several_rows_of_one():
    size = Group(name="size", kind=GroupKind.HEAD_SIZE, scope="", stage="", width=2, lanes=2)

    def parts(module, group, *, gradients=False):
        for index, weight in (([0, 1, 1], [[1.0], [2.0], [3.0]]), ([1, 2], [[7.0], [4.0]])):
            yield Part(
                slice=LayerSlice(
                    layer="", kind="linear", role="out", weight=torch.tensor(weight), bias=None
                ),
                index=torch.tensor(index),
            )

    found = run(nn.Linear(1, 1), "l1", groups=(size,), parts=parts)
    covered = [1.0, (2 + 3 + 7) / 2, 4.0]
    assert found.values["size"].tolist() == [covered[:2], [4.0, sum(covered) / 3]]


@pytest.mark.parametrize("name", ["l2", "random", "taylor"])
def test_the_same_inputs_give_the_same_scores(net, batches, name):
    data = batches if OFFERS[name].needs_data else ()
    one, other = (run(net, name, batches=data).values["hidden"] for _ in range(2))
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("importance", ["l2", "taylor"])
def test_every_free_group_of_a_traced_network_is_scored(name, importance):
    adapter = GenericAdapter()
    size = (3, 64, 64) if name == "test_vit" else (3, 32, 32)
    loaded = adapter.load(
        ModelRequest(name=name, num_classes=4, input_size=size, weights=WeightsPolicy.RANDOM)
    )
    for module in loaded.module.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Fresh residual branches end in a zero scale, which hides them from the loss.
            nn.init.ones_(module.weight)
    tracing = adapter.trace(loaded.module, loaded.architecture)
    found = adapter.score(
        loaded.module,
        tracing,
        OFFERS[importance],
        reduction=Reduction.MEAN,
        batches=[(torch.randn(2, *size), torch.tensor([0, 3]))] * 2,
        seed=0,
    )
    free = [g for g in tracing.network.free if g.kind is not GroupKind.HEADS]
    assert free
    assert {g.name: (g.lanes, g.width) for g in free} == {
        name: scores.shape for name, scores in found.values.items()
    }
    assert all(np.isfinite(v).all() and (v >= 0).all() and v.any() for v in found.values.values())

"""Weights: published, random, from a file; what is done where they cannot be had."""

import time

import pytest
import torch
from huggingface_hub import constants
from torch import nn

from ap_core.contracts import ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import CheckpointError
from ap_models.loading import weights, zoo
from ap_models.loading.digest import not_finite, weights_digest
from ap_models.loading.factories import build_from_factory

NAME = "timm/test_resnet.r160_in1k"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The hub is off, and nothing is in its cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def load(policy, *, name=NAME, build=zoo.build, **options):
    return weights.load(ModelRequest(name=name, weights=policy, **options), name, build)


def test_random_weights_depend_on_the_seed_alone():
    one, same, other = (load(WeightsPolicy.RANDOM, seed=seed) for seed in (1, 1, 2))
    assert one.sha256 == same.sha256 != other.sha256
    assert (one.origin, one.warnings) == (WeightsOrigin.RANDOM, ())


def test_random_weights_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load(WeightsPolicy.RANDOM, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_without_network_auto_goes_on_with_random_weights_and_says_so(offline):
    started = time.perf_counter()
    found = load(WeightsPolicy.AUTO, seed=3)
    assert time.perf_counter() - started < 4
    assert found.origin is WeightsOrigin.RANDOM
    assert found.sha256 == load(WeightsPolicy.RANDOM, seed=3).sha256
    assert found.warnings[0].startswith(
        f"RANDOM WEIGHTS, accuracy means nothing: the published "
        f"weights of {NAME} cannot be had: HF_HUB_OFFLINE is set"
    )


def test_without_network_pretrained_is_an_error_that_says_what_to_do(offline):
    with pytest.raises(CheckpointError, match="cannot be had: HF_HUB_OFFLINE is set") as caught:
        load(WeightsPolicy.PRETRAINED)
    assert "--checkpoint" in caught.value.hint
    assert caught.value.exit_code == 1


def test_a_network_without_published_weights_is_told_apart(offline):
    found = load(WeightsPolicy.AUTO, name="timm/resnet50.untrained", build=_never_published)
    assert "no weights are published" in found.warnings[0]


def _never_published(name, *, pretrained=False, **_):
    if pretrained:
        raise CheckpointError(f"no weights are published for {name}")
    return nn.Linear(2, 2)


def test_the_zoo_knows_which_networks_have_no_published_weights():
    unpublished = next(n for n in _untagged() if not _has_weights(n))
    with pytest.raises(CheckpointError, match="no weights are published for timm/"):
        zoo.build(unpublished, pretrained=True)


def _untagged():
    import timm

    return (name for name in timm.list_models() if zoo.resolve(name) == f"timm/{name}")


def _has_weights(name):
    import timm

    return timm.get_pretrained_cfg(name).has_weights


def test_a_nan_in_the_weights_is_refused_by_name():
    def build(name, **_):
        module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        module[1].running_var[1] = float("inf")
        return module

    with pytest.raises(CheckpointError, match=r"hold a NaN or an infinity in 1\.running_var"):
        load(WeightsPolicy.RANDOM, name="some", build=build)


def test_a_checkpoint_goes_before_the_policy(tmp_path):
    trained = zoo.build(NAME)
    torch.save(trained.state_dict(), tmp_path / "trained.pth")
    found = load(WeightsPolicy.PRETRAINED, checkpoint=tmp_path / "trained.pth")
    assert found.origin is WeightsOrigin.CHECKPOINT
    assert found.sha256 == weights_digest(trained)


def test_a_functions_own_weights_are_taken_with_a_warning(tmp_path, monkeypatch):
    (tmp_path / "weighty.py").write_text("from torch.nn import Linear\nmake = lambda: Linear(2, 2)")
    monkeypatch.chdir(tmp_path)
    build = _factory_build
    auto, drawn = (
        load(policy, name="weighty:make", build=build)
        for policy in (WeightsPolicy.AUTO, WeightsPolicy.RANDOM)
    )
    assert auto.origin is WeightsOrigin.LIVE
    assert "nothing tells whether it trained them" in auto.warnings[0]
    assert (drawn.origin, drawn.warnings) == (WeightsOrigin.RANDOM, ())
    with pytest.raises(CheckpointError, match="no weights are published for weighty:make"):
        load(WeightsPolicy.PRETRAINED, name="weighty:make", build=build)


def _factory_build(name, *, num_classes=None, input_size=None, pretrained=False):
    assert not pretrained
    return build_from_factory(name, num_classes=num_classes, input_size=input_size)


def test_a_digest_sees_values_names_types_and_buffers():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = weights_digest(module)
    assert before == weights_digest(module)
    module[1].running_mean[0] = 1.0
    moved = weights_digest(module)
    renamed = weights_digest(nn.Sequential(nn.Identity(), *module))
    assert len({before, moved, renamed, weights_digest(module.half())}) == 4


def test_a_digest_takes_scalars_and_strides():
    module = nn.Linear(3, 2, bias=False)
    module.weight = nn.Parameter(torch.arange(6.0).reshape(3, 2).T)
    contiguous = nn.Linear(3, 2, bias=False)
    contiguous.weight = nn.Parameter(module.weight.detach().contiguous())
    assert weights_digest(module) == weights_digest(contiguous)
    module.register_buffer("steps", torch.tensor(3))
    assert weights_digest(module) != weights_digest(contiguous)


def test_finite_weights_have_nothing_to_name():
    assert not not_finite(nn.BatchNorm1d(3))

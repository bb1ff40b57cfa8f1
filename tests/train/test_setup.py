"""What is set up for a training: the average of the weights, rates by layer."""

import copy
from itertools import pairwise

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from ap_train.training.options import TrainOptions
from ap_train.training.presets import options_of
from ap_train.training.setup import machinery_of
from ap_train.training.world import World

UPDATES = 12


def options(**more: object) -> TrainOptions:
    return options_of("short", {"opt": "sgd", "lr": 0.1, "weight_decay": 0.0, **more})


def test_the_average_follows_the_weights_by_its_decay(network: nn.Module) -> None:
    """Early on by less: by 1 - n^(-2/3) at update n, if that is less (timm's warm-up)."""
    wanted = {name: value.clone() for name, value in network.named_parameters()}
    with machinery_of(network, options(ema_decay=0.6), Accelerator(), World()) as machinery:
        for update in range(UPDATES):
            for parameter in network.parameters():
                parameter.data += 0.01 * torch.randn_like(parameter)
            machinery.follow(update)
            decay = min(0.6, 1 - update ** (-2 / 3)) if update else 0.0
            for name, value in network.named_parameters():
                wanted[name] = decay * wanted[name] + (1 - decay) * value
        found = dict(machinery.judged().named_parameters())
    for name, value in network.named_parameters():
        average = found[name]
        assert torch.allclose(average, wanted[name], atol=1e-6)
        assert not torch.allclose(average, value, atol=1e-4)


def test_without_an_average_the_weights_themselves_are_judged(network: nn.Module) -> None:
    with machinery_of(network, options(), Accelerator(), World()) as machinery:
        assert machinery.judged() is network


def test_every_layer_learns_less_than_the_next_by_the_same_factor(network: nn.Module) -> None:
    given = options(opt="adamw", layer_decay=0.5, sched="constant")
    with machinery_of(copy.deepcopy(network), given, Accelerator(), World()) as machinery:
        machinery.schedule(given, 10)(0)
        groups = machinery.parts.optimizer.param_groups
        rates = {id(p): group["lr"] for group in groups for p in group["params"]}
        named = {name: rates[id(p)] for name, p in machinery.parts.module.named_parameters()}
    steps = sorted(set(named.values()))
    assert len(steps) > 3
    assert all(b == pytest.approx(2 * a) for a, b in pairwise(steps))
    assert named["head.fc.weight"] == steps[-1] == pytest.approx(0.1)
    assert named["stem.0.weight"] == steps[0]

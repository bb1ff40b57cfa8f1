"""The twin on the meta device."""

import timm
import torch
from torch import nn

from ap_models.skeleton import meta_copy


def test_a_twin_has_no_weights_and_leaves_the_network_alone():
    module = timm.create_model("test_resnet").eval()
    before = {n: t.clone() for n, t in module.state_dict().items()}
    twin = meta_copy(module)
    assert {t.device.type for t in twin.state_dict().values()} == {"meta"}
    assert all(torch.equal(t, before[n]) for n, t in module.state_dict().items())


def test_a_twin_keeps_modes_flags_and_ties():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.BatchNorm1d(3))
    module[1].weight = module[0].weight
    module[0].bias.requires_grad_(False)
    module[2].eval()
    twin = meta_copy(module)
    assert twin[1].weight is twin[0].weight
    assert not twin[0].bias.requires_grad
    assert twin.training
    assert not twin[2].training


def test_tensors_held_as_plain_attributes_follow():
    module = nn.Linear(3, 3)
    module.offset = torch.ones(3)
    assert meta_copy(module).offset.is_meta

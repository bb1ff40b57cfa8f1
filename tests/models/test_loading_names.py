"""Names of networks: what the user types, and what it stands for."""

import pytest
import torch

from ap_core.errors import ModelError, UnknownNameError
from ap_models.loading import zoo


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("resnet50", "timm/resnet50.a1_in1k"),
        ("resnet50.tv_in1k", "timm/resnet50.tv_in1k"),
        ("timm/resnet50.tv_in1k", "timm/resnet50.tv_in1k"),
        ("deit_tiny", "timm/deit_tiny_distilled_patch16_224.fb_in1k"),
        ("deit_small", "timm/deit_small_distilled_patch16_224.fb_in1k"),
        ("deit_base.fb_in1k", "timm/deit_base_distilled_patch16_224.fb_in1k"),
        ("deit_tiny_patch16_224", "timm/deit_tiny_patch16_224.fb_in1k"),
        ("vit_small", "timm/vit_small_patch16_224.augreg_in21k_ft_in1k"),
        ("convnext_small", "timm/convnext_small.in12k_ft_in1k"),
        ("convnext_small_in22ft1k", "timm/convnext_small.fb_in22k_ft_in1k"),
        ("torchvision/resnet50", "torchvision/resnet50.IMAGENET1K_V2"),
        ("torchvision/resnet50.IMAGENET1K_V1", "torchvision/resnet50.IMAGENET1K_V1"),
        ("vit_b_16", "torchvision/vit_b_16.IMAGENET1K_V1"),
    ],
)
def test_a_name_has_one_canonical_form(typed, canonical):
    assert zoo.resolve(typed) == canonical
    assert zoo.resolve(canonical) == canonical


@pytest.mark.parametrize(
    "name", ["resnet5o", "timm/nothing", "torchvision/fcn_resnet50", "vit_b_16x", ""]
)
def test_an_unknown_name_is_nobodys(name):
    assert zoo.resolve(name) is None


def test_a_wrong_tag_is_answered_with_the_tags_there_are():
    with pytest.raises(UnknownNameError) as caught:
        zoo.resolve("resnet50.tv_in1")
    assert caught.value.message == "unknown weights tag of resnet50 'tv_in1'"
    assert "tv_in1k" in caught.value.hint


def test_a_wrong_tag_of_torchvision_is_answered_as_well():
    with pytest.raises(UnknownNameError, match="unknown weights tag of torchvision/resnet50 'V3'"):
        zoo.resolve("torchvision/resnet50.V3")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("resnet50", "timm.models.resnet"),
        ("deit_tiny", "timm.models.deit"),
        ("vit_base", "timm.models.vision_transformer"),
        ("convnext_tiny", "timm.models.convnext"),
        ("torchvision/resnet50", "torchvision.models.resnet"),
        ("torchvision/vit_b_16", "torchvision.models.vision_transformer"),
    ],
)
def test_a_network_belongs_to_the_module_that_defines_it(name, module):
    assert zoo.family_module(zoo.resolve(name)) == module


def test_a_list_holds_the_names_of_its_families_only():
    names = zoo.zoo_names({"timm.models.deit", "torchvision.models.convnext"})
    assert "deit_tiny_patch16_224" in names
    assert "torchvision/convnext_tiny" in names
    assert not [n for n in names if "deit" not in n and "convnext" not in n]
    assert names == sorted(names)


def test_every_listed_name_can_be_resolved():
    names = zoo.zoo_names()
    assert len(names) > 1000
    assert not [name for name in names if zoo.resolve(name) is None]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("test_resnet", (1, 32, 32)),
        ("test_vit", (1, 32, 32)),
        ("torchvision/vit_b_16", (3, 64, 64)),
        ("torchvision/googlenet", None),
        ("torchvision/maxvit_t", None),
    ],
)
def test_networks_are_built_without_weights_in_eval_mode(name, size):
    with torch.device("meta"):
        module = zoo.build(name, num_classes=7, input_size=size)
        output = module(torch.empty(2, *(size or (3, 224, 224))))
    assert output.shape == (2, 7)
    assert not any(m.training for m in module.modules())
    assert all(t.is_meta for t in module.state_dict().values())


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("torchvision/resnet18", (1, 32, 32), "take 3 channels, not 1"),
        ("torchvision/vit_b_16", (3, 64, 32), "takes square images, not 64 x 32"),
        ("torchvision/vit_b_16", (3, 65, 65), "cannot be built"),
    ],
)
def test_sizes_that_do_not_go_with_a_network_are_refused(name, size, reason):
    with torch.device("meta"), pytest.raises(ModelError, match=reason):
        zoo.build(name, input_size=size)


def test_building_an_unknown_network_suggests_the_nearest():
    with pytest.raises(UnknownNameError) as caught:
        zoo.build("test_resnet1")
    assert "test_resnet" in caught.value.hint

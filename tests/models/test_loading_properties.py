"""What a network tells of itself."""

import json
from dataclasses import asdict

import pytest
import torch
from torch import nn

from ap_core.errors import ModelError
from ap_models.loading import zoo
from ap_models.loading.properties import default_input_size, describe, num_classes


@pytest.mark.parametrize(
    ("name", "size", "classes"),
    [
        ("test_resnet", (3, 160, 160), 1000),
        ("test_vit", (3, 160, 160), 1000),
        ("torchvision/resnet18", (3, 224, 224), 1000),
        ("torchvision/vit_b_16", (3, 224, 224), 1000),
        ("torchvision/inception_v3", (3, 299, 299), 1000),
    ],
)
def test_a_network_of_the_zoo_is_described_by_its_publication(name, size, classes):
    with torch.device("meta"):
        module = zoo.build(name)
    found = describe(module, adapter="some", name=zoo.resolve(name))
    assert (found.input_size, found.num_classes) == (size, classes)
    assert found.preprocessing["input_size"] == list(size)
    assert json.loads(json.dumps(asdict(found)))["preprocessing"] == found.preprocessing


def test_preprocessing_is_the_publications():
    with torch.device("meta"):
        module = zoo.build("test_resnet")
        vision = zoo.build("torchvision/resnet50")
    timms = describe(module, adapter="some", name=zoo.resolve("test_resnet")).preprocessing
    assert (timms["mean"], timms["crop_pct"]) == ([0.5, 0.5, 0.5], 0.95)
    found = describe(vision, adapter="some", name="torchvision/resnet50.IMAGENET1K_V2")
    assert found.preprocessing["crop_pct"] == round(224 / 232, 4)
    assert found.preprocessing["interpolation"] == "bilinear"


def test_images_of_one_channel_are_normalised_by_one_mean():
    with torch.device("meta"):
        module = zoo.build("test_vit", input_size=(1, 32, 32), num_classes=10)
    found = describe(module, adapter="some", name="timm/test_vit.r160_in1k")
    assert found.input_size == (1, 32, 32)
    assert found.preprocessing["mean"] == [0.5]


def test_an_unknown_network_is_asked_for_its_channels():
    assert default_input_size(nn.Sequential(nn.Conv2d(4, 8, 3))) == (4, 224, 224)


def test_classes_are_counted_at_the_output_without_running_weights():
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)
    )
    assert num_classes(module, (3, 8, 8)) == 6
    assert module.training


def test_a_network_that_makes_tensors_on_its_way_can_be_counted():
    class Positions(nn.Linear):
        def forward(self, image):
            return super().forward(image.flatten(1) + torch.arange(12))

    assert num_classes(Positions(12, 5), (3, 2, 2)) == 5


def test_what_is_no_classifier_is_refused():
    with pytest.raises(ModelError, match=r"not a classifier: .* \(2, 4, 6, 6\)"):
        num_classes(nn.Conv2d(3, 4, 3), (3, 8, 8))


def test_a_size_that_the_network_cannot_take_is_refused():
    with pytest.raises(ModelError, match="cannot be run on an image of 1 x 8 x 8"):
        num_classes(nn.Conv2d(3, 4, 3), (1, 8, 8))

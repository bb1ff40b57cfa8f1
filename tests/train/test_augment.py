"""The augmentations that the presets ask for bear the strongest draw."""

import pytest
import torch
from PIL import Image
from timm.data.auto_augment import _RAND_INCREASING_TRANSFORMS, AugmentOp

from ap_train.training.batches import seeded


@pytest.mark.parametrize("name", _RAND_INCREASING_TRANSFORMS)
def test_every_operation_bears_the_largest_magnitude(name):
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    changed = AugmentOp(name, prob=1.0, magnitude=10, hparams={})(image)
    assert changed.size == image.size


def test_chance_is_seeded_as_torch_does_and_is_afterwards_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(1)
    undisturbed = torch.rand(2)
    torch.manual_seed(1)
    with seeded(7):
        assert torch.equal(torch.rand(3), expected)
    assert torch.equal(torch.rand(2), undisturbed)


def test_seeding_keeps_nothing_for_devices_that_are_not_in_use():
    before = len(torch.cuda._queued_calls)
    for number in range(20):
        with seeded(number):
            pass
    assert len(torch.cuda._queued_calls) == before

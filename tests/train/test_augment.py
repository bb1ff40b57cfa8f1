"""The augmentations that the presets ask for bear the strongest draw."""

import pytest
from PIL import Image
from timm.data.auto_augment import _RAND_INCREASING_TRANSFORMS, AugmentOp


@pytest.mark.parametrize("name", _RAND_INCREASING_TRANSFORMS)
def test_every_operation_bears_the_largest_magnitude(name):
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    changed = AugmentOp(name, prob=1.0, magnitude=10, hparams={})(image)
    assert changed.size == image.size

"""Glyphs: the same for everyone, at every size, and of use to every network."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ap_core.contracts import Architecture, DataRequest, Split
from ap_core.errors import DataError
from ap_core.plugins.registry import Registry
from ap_train.data.glyphs import Glyphs, open_glyphs
from ap_train.data.painter import CHARACTERS, HEIGHT, Painter

ARCHITECTURE = Architecture(
    adapter="resnet", name="timm/test_resnet", num_classes=32, input_size=(3, 32, 32),
    preprocessing={"mean": [0.5] * 3, "std": [0.5] * 3},
)  # fmt: skip


def asked(size: tuple[int, int, int] = (3, 32, 32), **more: object) -> DataRequest:
    architecture = replace(ARCHITECTURE, input_size=size)
    return DataRequest(name="glyphs", root=None, architecture=architecture, **more)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32)


def test_glyphs_are_offered() -> None:
    source = Registry.from_entry_points().datasets["glyphs"].make()(asked())
    assert source.num_classes == 32
    assert source.record()["images"] == 8000


def test_no_two_characters_could_be_taken_for_each_other() -> None:
    assert len(set(CHARACTERS)) == 32
    assert not set(CHARACTERS) & set("IO01")


def test_an_image_depends_on_its_number_alone() -> None:
    one, other = open_glyphs(asked(seed=0)), open_glyphs(asked(seed=1))
    assert one.splits.record() != other.splits.record()
    assert one.images.details() == other.images.details()
    first = [pixels(one.images.read(number)) for number in (7, 4321)]
    again = [pixels(other.images.read(number)) for number in (4321, 7)]
    assert np.array_equal(first[0], again[1])
    assert np.array_equal(first[1], again[0])


def test_an_image_that_is_kept_is_the_one_that_was_painted() -> None:
    glyphs = Glyphs(size=(32, 32))
    assert np.array_equal(pixels(glyphs.read(5)), pixels(glyphs.read(5)))
    assert np.array_equal(pixels(glyphs.read(5)), glyphs._painted(5))


def test_pictures_stay_behind_when_glyphs_travel_to_another_process() -> None:
    glyphs = Glyphs(size=(48, 48))
    before = pixels(glyphs.read(3))
    sent = pickle.dumps(glyphs)
    assert len(sent) < 10_000
    assert np.array_equal(pixels(pickle.loads(sent).read(3)), before)  # noqa: S301


def test_images_that_would_fill_the_memory_are_not_kept() -> None:
    large = Glyphs(size=(224, 224))
    assert large.read(0).size == (224, 224)
    assert large._kept is None
    assert Glyphs(size=(96, 96))._kept is not None


def test_no_image_occurs_twice_and_classes_are_equally_many() -> None:
    glyphs = Glyphs(size=(16, 16), count=640)
    assert len({glyphs.read(number).tobytes() for number in range(640)}) == 640
    assert set(np.bincount(glyphs.labels)) == {20}


@pytest.mark.parametrize("size", [(3, 16, 16), (3, 40, 64), (1, 32, 32), (3, 224, 224)])
def test_glyphs_come_in_the_size_and_the_channels_of_the_network(size) -> None:
    images, labels = next(open_glyphs(asked(size, batch_size=8)).report())
    assert images.shape == (8, *size)
    assert float(images.std()) > 0.1
    assert int(labels.max()) < 32


def test_glyphs_too_small_to_be_told_apart_are_refused() -> None:
    with pytest.raises(DataError, match="glyphs of 15 x 32 pixels"):
        open_glyphs(asked((3, 15, 32)))


def test_a_picture_is_the_same_at_every_size_but_for_its_grain() -> None:
    small, large = (
        Painter(size=(side, side)).paint(4, np.random.default_rng(11)) for side in (32, 128)
    )
    reduced = pixels(Image.fromarray(large).resize((32, 32), Image.Resampling.BOX))
    likeness = np.corrcoef(reduced.ravel(), small.astype(np.float32).ravel())[0, 1]
    other = Painter(size=(32, 32)).paint(4, np.random.default_rng(12)).astype(np.float32)
    assert likeness > 0.8
    assert likeness > 0.3 + np.corrcoef(reduced.ravel(), other.ravel())[0, 1]


@pytest.mark.parametrize("label", range(32))
def test_every_character_is_in_the_picture_whole_or_nearly(label: int) -> None:
    painter = Painter(size=(64, 64))
    masks = [painter._character(label, np.random.default_rng((label, i))) for i in range(20)]
    inside = [mask[2:-2, 2:-2].sum() / mask.sum() for mask in masks]
    assert min(mask.sum() for mask in masks) > (HEIGHT[0] * 64) ** 2 / 20
    assert np.mean(inside) > 0.97


def test_glyphs_in_grey_can_be_told_from_their_ground() -> None:
    grey = open_glyphs(asked((1, 32, 32)))
    image, label = grey.split(Split.TRAIN)[0]
    assert image.mode == "L"
    assert 0 <= label < 32

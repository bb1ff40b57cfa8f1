"""Data sets, accuracy, batch-norm recovery, training: on real small networks."""

import re
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from ap_core.contracts import Architecture, DataRequest, Split
from ap_core.errors import DataError, ModelError, UsageError
from ap_core.pipeline.opening.data import open_source
from ap_core.plugins.registry import Registry
from ap_train.batchnorm import reestimate
from ap_train.data.digits import open_digits
from ap_train.data.folder import open_folder
from ap_train.data.timm_named import open_timm
from ap_train.measuring.answers import measure_accuracy

ARCHITECTURE = Architecture(
    adapter="resnet", name="timm/test_resnet", num_classes=10, input_size=(3, 32, 32),
    preprocessing={"mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0},
)  # fmt: skip


def asked(name: str = "digits", **more: object) -> DataRequest:
    settings = {"name": name, "root": None, "architecture": ARCHITECTURE, "calibration": 64}
    return DataRequest(**(settings | more))


def test_splits_of_digits_are_disjoint_and_repeatable() -> None:
    one, other = open_digits(asked()).splits, open_digits(asked()).splits
    assert one.record() == other.record()
    splits = [set(one.of(split)) for split in Split]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 1797
    assert open_digits(asked(seed=1)).splits.record() != one.record()


def test_calibration_leaves_half_of_a_small_set_to_train_on(folder: Path) -> None:
    splits = open_folder(asked("folder", root=folder, calibration=256)).splits
    assert len(splits.calibration) == len(splits.train) == 9


def test_images_that_a_folder_sets_apart_report_and_do_nothing_else(folder: Path) -> None:
    root = folder.parent / "imagenet"
    shutil.copytree(folder, root / "train")
    shutil.copytree(folder, root / "val")
    source = open_folder(asked("folder", root=root, calibration=8))
    names = {split: {source.images.name(i) for i in source.splits.of(split)} for split in Split}
    assert len(names[Split.REPORT]) == 30
    assert all("/val/" in name for name in names[Split.REPORT])
    assert not any("/val/" in name for split in names if split != "report" for name in names[split])
    fewer = open_folder(asked("folder", root=root, calibration=8, held_out=4))
    assert len(fewer.splits.report) == len(fewer.splits.held_out) == 4


def test_folders_of_other_classes_set_apart_are_refused(folder: Path) -> None:
    root = folder.parent / "imagenet"
    shutil.copytree(folder, root / "train")
    shutil.copytree(folder, root / "val")
    (root / "val" / "cats").rename(root / "val" / "birds")
    with pytest.raises(DataError, match="do not hold folders of the same names"):
        open_folder(asked("folder", root=root))


def test_a_file_that_changed_shows_in_the_record(folder: Path) -> None:
    before = open_folder(asked("folder", root=folder)).record()
    assert open_folder(asked("folder", root=folder)).record() == before
    Image.new("RGB", (9, 9)).save(folder / "cats" / "3.png")
    assert open_folder(asked("folder", root=folder)).record() != before


def test_networks_of_one_channel_see_grey_images(folder: Path) -> None:
    grey = replace(ARCHITECTURE, input_size=(1, 32, 32))
    images, _ = next(open_folder(asked("folder", root=folder, architecture=grey)).held_out())
    assert images.shape[1:] == (1, 32, 32)


def test_a_folder_that_torchvision_reads_is_the_same_through_timm(folder: Path) -> None:
    source = open_timm(asked("torch/image_folder", root=folder, calibration=8))
    assert source.classes == open_folder(asked(str(folder))).classes == ("cats", "dogs")
    assert len(source.splits.of(Split.REPORT)) == 6
    assert next(source.held_out())[0].shape[1:] == (3, 32, 32)


def test_batches_come_in_the_same_order_every_time() -> None:
    source = open_digits(asked())
    one, other = list(source.calibration()), list(source.calibration())
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, other, strict=True))
    assert one[0][0].shape == (32, 3, 32, 32)
    assert sum(len(labels) for _, labels in one) == 64


def test_every_split_has_the_classes_in_proportion() -> None:
    source = open_digits(asked())
    counts = np.bincount(source.split(Split.HELD_OUT).labels, minlength=10)
    assert counts.min() >= 30


def test_a_folder_is_read_and_prepared(folder: Path) -> None:
    source = open_folder(asked("folder", root=folder, calibration=8))
    images, labels = next(source.held_out())
    assert source.num_classes == 2
    assert images.shape[1:] == (3, 32, 32)
    assert set(labels.tolist()) == {0, 1}
    assert source.record()["images"] == 30


def test_corrupt_images_are_named_or_skipped_and_counted(folder: Path) -> None:
    whole = (folder / "cats" / "3.png").read_bytes()
    (folder / "cats" / "3.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dogs" / "1.png").write_bytes(b"no image")
    everything = {"calibration": 30, "held_out": 12}
    with pytest.raises(DataError, match=r"images cannot be read: .*\.png"):
        open_folder(asked("folder", root=folder, **everything))
    source = open_folder(asked("folder", root=folder, on_corrupt="skip", **everything))
    left = sum(len(source.splits.of(split)) for split in Split)
    assert len(source.record()["skipped"]) + left == 30
    assert 1 <= len(source.record()["skipped"]) <= 2


def test_an_image_to_train_on_that_cannot_be_read_is_named_when_its_turn_comes(
    folder: Path,
) -> None:
    source = open_folder(asked("folder", root=folder, calibration=4))
    images = source.split(Split.TRAIN)
    Path(images.name(3)).write_bytes(b"no image")
    assert images[2][0].size == (50, 40)
    with pytest.raises(DataError, match=rf"{re.escape(images.name(3))} cannot be read"):
        images[3]


def test_folders_of_no_use_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        open_folder(asked("folder", root=tmp_path / "none"))
    (tmp_path / "one" / "class").mkdir(parents=True)
    with pytest.raises(DataError, match="holds 1 class folder;"):
        open_folder(asked("folder", root=tmp_path / "one"))
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        open_folder(asked("folder", root=folder))


def test_a_root_that_does_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data-root does nothing"):
        open_source(Registry.from_entry_points(), asked(str(folder), root=tmp_path))


def test_too_few_images_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="too few to judge on 20"):
        open_folder(asked("folder", root=folder, held_out=20))


def test_a_data_set_that_needs_a_library_or_a_network_is_refused() -> None:
    with pytest.raises(DataError, match="hfds/nobody/nothing cannot be had"):
        open_timm(asked("hfds/nobody/nothing"))


@pytest.mark.parametrize("name", ["wds/imagenet", "tfds/imagenet2012", "hfids/imagenet"])
def test_a_stream_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(DataError, match=f"{name} is a stream") as caught:
        open_source(Registry.from_entry_points(), asked(name))
    assert "unpack it to a folder" in caught.value.hint


def test_images_that_were_read_before_are_not_read_again(folder: Path) -> None:
    everything = {"root": folder, "calibration": 30, "held_out": 12, "on_corrupt": "skip"}
    broken = Path(open_folder(asked("folder", **everything)).split(Split.REPORT).name(0))
    broken.write_bytes(b"no image")
    first = open_folder(asked("folder", **everything))
    assert first.skipped == (str(broken),)
    for image in folder.rglob("*.png"):
        image.write_bytes(b"x" * image.stat().st_size)
    again = open_folder(asked("folder", **everything, before=first.record()))
    assert again.record() == first.record()
    assert len(open_folder(asked("folder", **everything)).skipped) > 1


def test_images_that_changed_are_read_again(folder: Path) -> None:
    before = open_folder(asked("folder", root=folder)).record()
    for image in folder.rglob("*.png"):
        image.write_bytes(b"no image")
    with pytest.raises(DataError, match="images cannot be read"):
        open_folder(asked("folder", root=folder, before=before))
    with pytest.raises(DataError, match="images cannot be read"):
        open_folder(asked("folder", root=folder, seed=1, before=before))


def test_accuracy_counts_every_image_once_and_restores_the_mode() -> None:
    network = timm.create_model("test_resnet", num_classes=10).train()
    found = measure_accuracy(network, input_size=(3, 32, 32), data=open_digits(asked()))
    assert found["images"] == 359
    assert 0 <= found["top1"] <= found["top5"] <= 1
    assert network.training


def test_accuracy_of_a_broken_network_is_an_error() -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    torch.nn.init.constant_(network.fc.bias, float("nan"))
    with pytest.raises(ModelError, match="is not a number"):
        measure_accuracy(network, input_size=(3, 32, 32), data=open_digits(asked()))


def test_batch_norms_are_reestimated_and_nothing_else() -> None:
    network = timm.create_model("test_resnet", num_classes=10).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    note = reestimate(network, open_digits(asked()))
    changed = {n for n, t in network.state_dict().items() if not torch.equal(before[n], t)}
    assert "over 2 batches" in note
    assert {name.rpartition(".")[2] for name in changed} == {
        "running_mean", "running_var", "num_batches_tracked",
    }  # fmt: skip
    assert not network.training


def test_batch_norms_see_one_batch_after_the_other() -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    seen: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    class Source:
        def calibration(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for _ in range(4):
                images = torch.zeros(2, 3, 32, 32)
                alive.append(sum(each() is not None for each in seen))
                seen.append(weakref.ref(images))
                yield images, torch.zeros(2)
                del images

    assert "over 4 batches" in reestimate(network, Source())
    assert max(alive) <= 2


def test_a_network_without_batch_norm_is_left_alone() -> None:
    network = timm.create_model("test_convnext", num_classes=10)
    assert reestimate(network, open_digits(asked())) == ""


def test_batches_of_one_image_are_no_use_to_batch_norms() -> None:
    network = timm.create_model("test_resnet", num_classes=10).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(DataError, match="no calibration batch of two images"):
        reestimate(network, open_digits(asked(batch_size=1)))
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())

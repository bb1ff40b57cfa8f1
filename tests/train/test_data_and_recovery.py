"""Data sets, accuracy, batch-norm recovery, training: on real small networks."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from ap_core.contracts import Architecture, DataRequest
from ap_core.errors import DataError, ModelError
from ap_train.batchnorm import reestimate
from ap_train.data.digits import open_digits
from ap_train.data.folder import open_folder
from ap_train.data.timm_named import open_timm
from ap_train.evaluation import measure_accuracy
from ap_train.training import Recipe, train

ARCHITECTURE = Architecture(
    adapter="resnet", name="timm/test_resnet", num_classes=10, input_size=(3, 32, 32),
    preprocessing={"mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0},
)  # fmt: skip


def asked(name: str = "digits", **more: object) -> DataRequest:
    settings = {"name": name, "root": None, "architecture": ARCHITECTURE, "calibration": 64}
    return DataRequest(**(settings | more))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(15):
            pixels = generator.integers(0, 255, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


def test_splits_of_digits_are_disjoint_and_repeatable() -> None:
    one, other = open_digits(asked()).splits, open_digits(asked()).splits
    assert one.record() == other.record()
    assert not set(one.held_out) & set(one.report)
    assert not (set(one.held_out) | set(one.report)) & set(one.train)
    assert set(one.calibration) <= set(one.train)
    assert open_digits(asked(seed=1)).splits.record() != one.record()


def test_batches_come_in_the_same_order_every_time() -> None:
    source = open_digits(asked())
    one, other = list(source.calibration()), list(source.calibration())
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, other, strict=True))
    assert one[0][0].shape == (32, 3, 32, 32)
    assert sum(len(labels) for _, labels in one) == 64


def test_every_split_has_the_classes_in_proportion() -> None:
    source = open_digits(asked())
    counts = np.bincount(source.labels[source.splits.held_out], minlength=10)
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
    with pytest.raises(DataError, match=r"2 of 30 images .*3\.png.*1\.png"):
        open_folder(asked("folder", root=folder))
    source = open_folder(asked("folder", root=folder, on_corrupt="skip"))
    assert len(source.record()["skipped"]) == 2
    assert source.record()["images"] == 28


def test_folders_of_no_use_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        open_folder(asked("folder", root=tmp_path / "none"))
    (tmp_path / "one" / "class").mkdir(parents=True)
    with pytest.raises(DataError, match="holds 1 class folders"):
        open_folder(asked("folder", root=tmp_path / "one"))
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        open_folder(asked("folder", root=folder))


def test_too_few_images_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="too few to judge on 20"):
        open_folder(asked("folder", root=folder, held_out=20))


def test_a_data_set_that_needs_a_library_or_a_network_is_refused() -> None:
    with pytest.raises(DataError, match="hfds/nobody/nothing cannot be had"):
        open_timm(asked("hfds/nobody/nothing"))


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


def test_a_network_without_batch_norm_is_left_alone() -> None:
    network = timm.create_model("test_convnext", num_classes=10)
    assert reestimate(network, open_digits(asked())) == ""


def test_training_learns_digits_and_repeats() -> None:
    losses: list[list[float]] = []
    for _ in range(2):
        torch.manual_seed(0)
        network = timm.create_model("test_resnet", num_classes=10)
        losses.append([])
        recipe = Recipe(epochs=2)
        train(network, open_digits(asked()), recipe, on_epoch=lambda _e, v: losses[-1].append(v))
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]

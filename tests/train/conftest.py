"""What tests of training share: digits, and small networks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from ap_core.contracts import Architecture, DataRequest
from ap_train.data.digits import open_digits
from ap_train.data.source import IndexedSource

ARCHITECTURE = Architecture(
    adapter="resnet", name="timm/test_resnet", num_classes=10, input_size=(3, 32, 32),
    preprocessing={"mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0},
)  # fmt: skip


@pytest.fixture(scope="session")
def architecture() -> Architecture:
    return ARCHITECTURE


@pytest.fixture(scope="session")
def digits() -> IndexedSource:
    return open_digits(
        DataRequest(name="digits", root=None, architecture=ARCHITECTURE, calibration=64)
    )


@pytest.fixture
def fresh_state() -> Iterator[None]:
    """One process has one precision, unless accelerate is told to forget it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_convnext", num_classes=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(15):
            pixels = generator.integers(0, 255, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"

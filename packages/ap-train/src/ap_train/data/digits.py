"""Handwritten digits: 1797 images of 8 x 8, part of scikit-learn; ten classes, no download."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ap_core.contracts import DataRequest
from ap_train.data.source import IndexedSource
from ap_train.data.splits import draw

WHITE = 16.0


def open_digits(request: DataRequest) -> IndexedSource:
    """Digits at the network's input size, normalised as it wants."""
    from sklearn.datasets import load_digits

    found = load_digits()
    labels = found.target.astype(np.int64)
    images = _prepared(torch.from_numpy(found.images).float() / WHITE, request)
    return IndexedSource(
        num_classes=10,
        batch_size=request.batch_size,
        seed=request.seed,
        splits=draw(labels.tolist(), request),
        labels=labels,
        image=lambda index: images[index],
        details={"name": "digits", "source": "sklearn.datasets.load_digits"},
    )


def _prepared(images: Tensor, request: DataRequest) -> Tensor:
    """(n, channels, height, width), from (n, 8, 8) between 0 and 1."""
    channels, height, width = request.architecture.input_size
    mean = _per_channel(request.architecture.preprocessing, "mean", 0.5, channels)
    std = _per_channel(request.architecture.preprocessing, "std", 0.5, channels)
    large = interpolate(images[:, None], (height, width), mode="bilinear", align_corners=False)
    prepared: Tensor = (large.expand(-1, channels, -1, -1) - mean) / std
    return prepared.contiguous()


def _per_channel(
    preprocessing: Mapping[str, object], key: str, default: float, channels: int
) -> Tensor:
    values = preprocessing.get(key)
    numbers = list(values) if isinstance(values, list | tuple) else [default]
    return torch.tensor((numbers * channels)[:channels]).reshape(1, channels, 1, 1)

"""Data sets that timm takes by prefix: Hugging Face, WebDataset, TensorFlow, torchvision."""

import numpy as np
from torch import Tensor

from ap_core.contracts import DataRequest
from ap_core.errors import DataError
from ap_train.data.source import IndexedSource
from ap_train.data.splits import draw
from ap_train.data.transform import transform_of


def open_timm(request: DataRequest) -> IndexedSource:
    """Training split of a data set that timm's `create_dataset` knows, image by image.

    Raises: DataError where it cannot be had, or cannot be read by index (a stream).
    """
    dataset = _create(request.name)
    if not hasattr(dataset, "__getitem__"):
        raise DataError(
            f"{request.name} is a stream; splits need images that can be had by their number",
            hint="take the data set without streaming, or a folder of its images",
        )
    labels = np.array([int(dataset[i][1]) for i in range(len(dataset))], np.int64)
    transform = transform_of(request.architecture)

    def image(index: int) -> Tensor:
        return transform(dataset[index][0].convert("RGB"))

    return IndexedSource(
        num_classes=int(labels.max()) + 1,
        batch_size=request.batch_size,
        seed=request.seed,
        splits=draw(labels.tolist(), request),
        labels=labels,
        image=image,
        details={"name": request.name, "images": len(labels)},
    )


def _create(name: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    from timm.data import create_dataset

    try:
        return create_dataset(name, root="", split="train", download=True)
    except (
        ImportError,
        OSError,
        RuntimeError,
        ValueError,
        AssertionError,
        AttributeError,
    ) as error:
        raise DataError(
            f"{name} cannot be had: {type(error).__name__}: {error}",
            hint="it needs its library and, the first time, a network; a folder of images needs "
            "neither",
        ) from error

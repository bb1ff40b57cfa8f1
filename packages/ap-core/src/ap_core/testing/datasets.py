"""Conformance of data sets."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from ap_core.contracts import DataRequest, DataSource
from ap_core.testing.requirement import digest, import_torch, require

if TYPE_CHECKING:
    from ap_core.contracts import ImageBatch


def check_dataset(open_dataset: Callable[[DataRequest], DataSource], request: DataRequest) -> None:
    """Demand of a data set: well-formed batches, disjoint splits, the same for the same seed.

    request: small; its allowances are checked. Images must not occur twice in the data.
    """
    source = open_dataset(request)
    require(isinstance(source, DataSource), f"{source!r} is no DataSource")
    require(source.num_classes > 0, f"it has {source.num_classes} classes")
    json.dumps(source.record(), allow_nan=False)
    splits = {"calibration": request.calibration, "held_out": request.held_out, "report": None}
    images = {}
    for split, allowance in splits.items():
        batches = list(getattr(source, split)())
        _require_batches(batches, source, request, split)
        images[split] = _digests(batches)
        require(images[split], f"the {split} split is empty")
        require(
            allowance is None or len(images[split]) <= allowance,
            f"the {split} split holds {len(images[split])} images, {allowance} were asked for",
        )
        again = _digests(getattr(source, split)())
        require(again == images[split], f"the {split} split differs when it is read again")
        afresh = _digests(getattr(open_dataset(request), split)())
        require(afresh == images[split], f"the {split} split differs when it is opened again")
    for one, other in combinations(splits, 2):
        shared = set(images[one]) & set(images[other])
        require(not shared, f"{len(shared)} images are in the {one} and in the {other} split")
    reseeded = open_dataset(replace(request, seed=request.seed + 1))
    require(_digests(reseeded.calibration()) != images["calibration"], "the seed changes nothing")


def _require_batches(
    batches: Iterable["ImageBatch"], source: DataSource, request: DataRequest, split: str
) -> None:
    torch = import_torch()
    for images, labels in batches:
        size = len(labels)
        require(0 < size <= request.batch_size, f"a batch of the {split} split holds {size} images")
        expected = (size, *request.architecture.input_size)
        require(
            tuple(images.shape) == expected,
            f"a batch of the {split} split has the shape {tuple(images.shape)}, not {expected}",
        )
        require(images.dtype == torch.float32, f"images are of type {images.dtype}")
        require(bool(images.isfinite().all()), f"images of the {split} split are not finite")
        require(tuple(labels.shape) == (size,), f"labels have the shape {tuple(labels.shape)}")
        require(labels.dtype == torch.int64, f"labels are of type {labels.dtype}")
        known = bool(((labels >= 0) & (labels < source.num_classes)).all())
        require(known, f"labels of the {split} split name unknown classes")


def _digests(batches: Iterable["ImageBatch"]) -> list[str]:
    return [digest(image) for images, _ in batches for image in images]

"""Folders of images in the ImageNet layout: one folder for each class."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ap_core.contracts import DataRequest
from ap_core.errors import DataError
from ap_train.data.source import IndexedSource
from ap_train.data.splits import draw
from ap_train.data.transform import transform_of

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})
SHOWN = 3


def open_folder(request: DataRequest) -> IndexedSource:
    """Images below `root/CLASS`, or `root/train/CLASS` where there is a folder of that name.

    Raises: DataError where the folder cannot be read, has fewer than two classes or an empty one,
    or holds images that cannot be decoded and are not to be skipped.
    """
    root = _training_folder(request)
    classes = _classes(root)
    files = [(path, label) for label, name in enumerate(classes) for path in _images(root / name)]
    broken = _undecodable(path for path, _ in files)
    if broken and request.on_corrupt != "skip":
        raise DataError(
            f"{len(broken)} of {len(files)} images in {root} cannot be read: {_some(broken)}",
            hint="remove them, or leave them out with --on-corrupt skip",
        )
    files = [(path, label) for path, label in files if path not in broken]
    transform = transform_of(request.architecture)
    labels = np.array([label for _, label in files], np.int64)
    _check_classes(root, classes, labels)

    def image(index: int) -> Tensor:
        with Image.open(files[index][0]) as opened:
            return transform(opened.convert("RGB"))

    return IndexedSource(
        num_classes=len(classes),
        batch_size=request.batch_size,
        seed=request.seed,
        splits=draw(labels.tolist(), request),
        labels=labels,
        image=image,
        details={
            "name": "folder",
            "root": str(root),
            "images": len(files),
            "skipped": [str(path) for path in broken],
        },
    )


def _training_folder(request: DataRequest) -> Path:
    root = Path() if request.root is None else request.root
    if request.root is None or not root.is_dir():
        raise DataError(
            f"there is no folder {request.root or request.name!s}",
            hint="give a folder that holds one folder of images for each class",
        )
    return root / "train" if (root / "train").is_dir() else root


def _classes(root: Path) -> Sequence[str]:
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror}") from error
    if len(names) < 2:
        raise DataError(
            f"{root} holds {len(names)} class folders; a classifier tells apart at least two",
            hint="give a folder that holds one folder of images for each class",
        )
    return names


def _images(folder: Path) -> Sequence[Path]:
    try:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    if not found:
        raise DataError(
            f"the class folder {folder} holds no image",
            hint="remove it, or fill it; --num-classes counts the folders",
        )
    return found


def _undecodable(paths: Iterable[Path]) -> list[Path]:
    """Images that do not decode to their end, in order."""
    broken = []
    for path in paths:
        try:
            with Image.open(path) as opened:
                opened.load()
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
            broken.append(path)
    return broken


def _check_classes(root: Path, classes: Sequence[str], labels: np.ndarray) -> None:
    for label, name in enumerate(classes):
        if not (labels == label).any():
            raise DataError(f"no image of the class {root / name} can be read")


def _some(paths: Sequence[Path]) -> str:
    shown = ", ".join(str(path) for path in paths[:SHOWN])
    return f"{shown}, ..." if len(paths) > SHOWN else shown

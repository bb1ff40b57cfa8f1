"""Folders of images in the ImageNet layout: one folder for each class."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ap_core.contracts import DataRequest
from ap_core.errors import DataError
from ap_core.report.amounts import counted
from ap_train.data.images import IntArray
from ap_train.data.source import IndexedSource

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})
REPORTING = ("val", "validation", "test")
"""Names of folders beside `train` whose images only report."""

GIVE = "give a folder that holds one folder of images for each class"


@dataclass(frozen=True, kw_only=True, eq=False)
class Folder:
    """Images of files. sha256: over their names and sizes."""

    root: Path
    files: tuple[str, ...]
    labels: IntArray
    reserved: IntArray
    classes: tuple[str, ...]
    sha256: str
    sized: bool = False
    mirrors: bool = True

    def read(self, index: int) -> Image.Image:
        """The image, decoded to its end."""
        with Image.open(self.root / self.files[index]) as opened:
            opened.load()
            return opened.copy()

    def name(self, index: int) -> str:
        """Its path."""
        return str(self.root / self.files[index])

    def details(self) -> dict[str, object]:
        """Place and digest."""
        return {"name": "folder", "root": str(self.root), "sha256": self.sha256}


def open_folder(request: DataRequest) -> IndexedSource:
    """Images below `root/CLASS`; or below `root/train/CLASS` where there is a folder of that name,
    and then those of `root/val/CLASS` report.

    Raises: DataError where the folder cannot be read, has fewer than two classes or an empty one,
    where the two do not have the same classes, or where images cannot be read.
    """
    return IndexedSource.open(read_folder(request.root or Path(request.name)), request)


def read_folder(root: Path) -> Folder:
    """What is in a folder; no image is opened. Raises: DataError."""
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", hint=GIVE)
    training = root / "train" if (root / "train").is_dir() else root
    reporting = next((root / n for n in REPORTING if (root / n).is_dir()), None)
    classes = _classes(training)
    found = list(_files(root, training, classes))
    kept = 0
    if training != root and reporting is not None:
        if _classes(reporting) != classes:
            raise DataError(
                f"{training} and {reporting} do not hold folders of the same names",
                hint="a class is a folder, of the same name in both",
            )
        kept = len(found)
        found += _files(root, reporting, classes)
    listing = "\n".join(f"{path} {size}" for path, _, size in found)
    return Folder(
        root=root,
        files=tuple(path for path, _, _ in found),
        labels=np.array([label for _, label, _ in found], np.int64),
        reserved=np.arange(kept or len(found), len(found)),
        classes=tuple(classes),
        sha256=hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest(),
    )


def _classes(folder: Path) -> Sequence[str]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    if len(names) < 2:
        raise DataError(
            f"{folder} holds {counted(len(names), 'class folder')}; "
            "a classifier tells apart at least two",
            hint=GIVE,
        )
    return names


def _files(root: Path, folder: Path, classes: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Path below the root, class and size in bytes of every image, in order."""
    for label, name in enumerate(classes):
        found = sorted(_images(folder / name))
        if not found:
            raise DataError(
                f"the class folder {folder / name} holds no image",
                hint="remove it, or fill it; --num-classes counts the folders",
            )
        yield from ((os.path.relpath(path, root), label, size) for path, size in found)


def _images(folder: Path) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            yield from _images(Path(entry.path))
        elif Path(entry.name).suffix.lower() in SUFFIXES:
            yield entry.path, entry.stat().st_size

"""Whether a network is measured on images that it, or the choice of it, has seen."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from ap_core.contracts import DataRequest, DataSource, Split
from ap_train.data.source import IndexedSource
from ap_train.data.splits import Splits, draw

SEEN = {
    Split.REPORT: (Split.TRAIN, Split.CALIBRATION, Split.HELD_OUT),
    Split.HELD_OUT: (Split.TRAIN, Split.CALIBRATION),
}
"""Splits of which none may be in one; that the held-out split chose a network is said apart."""


def seen_before(
    source: DataSource, split: Split, own: DataRequest, recorded: Mapping[str, object]
) -> str:
    """Warning that a run has seen images that it is measured on; "" where it has not.

    own: the images that the run asked for. recorded: what it kept of them.
    """
    before = recorded.get("splits")
    if before == source.record().get("splits"):
        return ""
    drawn = _drawn_again(source, own)
    if drawn is None or drawn.record() != before:
        return "the images are not those that the run kept: it may have seen some of these"
    seen = np.concatenate([drawn.of(each) for each in SEEN[split]])
    measured = cast("IndexedSource", source).splits.of(split)
    count = len(np.intersect1d(seen, measured))
    if not count:
        return ""
    return f"the run was trained, or chosen, on {count} of the {len(measured)} images"


def _drawn_again(source: DataSource, own: DataRequest) -> Splits | None:
    if not isinstance(source, IndexedSource):
        return None
    return draw(source.images.labels, source.images.reserved, own)

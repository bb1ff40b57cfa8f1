"""torch-pruning's index mappings on arrays: the same result, without an object for every index."""

from collections.abc import Callable, Sequence

import numpy as np
from torch_pruning._helpers import _HybridIndex
from torch_pruning.dependency.index_mapping import (
    _ConcatIndexMapping,
    _FlattenIndexMapping,
    _SliceIndexMapping,
    _SplitIndexMapping,
)

from ap_models.tracing.ports import IntArray

Mapping = Callable[[list[_HybridIndex]], list[_HybridIndex]]


def follow(mappings: Sequence[Mapping], size: int) -> tuple[IntArray, IntArray] | None:
    """Positions at the far end of some mappings, and for each which of `size` it comes from.

    None where torch-pruning found fewer parts of a split or a concatenation than there are.
    """
    where = roots = np.arange(size, dtype=np.int64)
    for mapping in mappings:
        match mapping:
            case _SplitIndexMapping(offset=[] | [_]) | _ConcatIndexMapping(offset=[] | [_]):
                return None
        where, roots = _mapped(mapping, where, roots)
    return where, roots


def _mapped(mapping: Mapping, where: IntArray, roots: IntArray) -> tuple[IntArray, IntArray]:
    match mapping:
        case _FlattenIndexMapping(reverse=True, _stride=stride):
            return _distinct(where // stride, roots)
        case _FlattenIndexMapping(_stride=stride):
            where = (where[:, None] * stride + np.arange(stride)[None, :]).reshape(-1)
            roots = roots.repeat(stride)
        case (
            _ConcatIndexMapping(reverse=False, offset=(start, _))
            | _SplitIndexMapping(reverse=True, offset=(start, _))
        ):
            where = where + start
        case _ConcatIndexMapping(offset=(start, end)) | _SplitIndexMapping(offset=(start, end)):
            inside = (where >= start) & (where < end)
            where, roots = where[inside] - start, roots[inside]
        case _SliceIndexMapping(reverse=True, start=start, step=step):
            where = where * step + start
        case _SliceIndexMapping(start=start, step=step, end=end):
            inside = (where >= start) & (where < end) & ((where - start) % step == 0)
            where, roots = (where[inside] - start) // step, roots[inside]
        case _:
            return _one_by_one(mapping, where, roots)
    return where, roots


def _distinct(where: IntArray, roots: IntArray) -> tuple[IntArray, IntArray]:
    base = 1 + int(roots.max(initial=0))
    both = np.unique(where * base + roots)
    return both // base, both % base


def _one_by_one(mapping: Mapping, where: IntArray, roots: IntArray) -> tuple[IntArray, IntArray]:
    """What a mapping of any other kind says itself."""
    pairs = zip(where.tolist(), roots.tolist(), strict=True)
    found = mapping([_HybridIndex(idx=idx, root_idx=root) for idx, root in pairs])
    both = np.array([(i.idx, i.root_idx) for i in found], np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]

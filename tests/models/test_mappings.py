"""Index mappings on arrays give what torch-pruning's own give on lists."""

import numpy as np
import pytest
from torch_pruning._helpers import _HybridIndex
from torch_pruning.dependency.index_mapping import (
    _ConcatIndexMapping,
    _FlattenIndexMapping,
    _SliceIndexMapping,
    _SplitIndexMapping,
)

from ap_models.tracing.mappings import follow

MAPPINGS = {
    "flatten": [_FlattenIndexMapping(stride=3)],
    "flatten and back": [_FlattenIndexMapping(stride=3), _FlattenIndexMapping(3, reverse=True)],
    "unflatten": [_FlattenIndexMapping(stride=4, reverse=True)],
    "concatenate": [_ConcatIndexMapping(offset=[5, 17])],
    "out of a concatenation": [_ConcatIndexMapping(offset=[2, 7], reverse=True)],
    "split": [_SplitIndexMapping(offset=[4, 8])],
    "split of nothing": [_SplitIndexMapping(offset=[40, 48])],
    "before a split": [_SplitIndexMapping(offset=[4, 16], reverse=True)],
    "slice": [_SliceIndexMapping(dim=1, start=1, step=3, end=11)],
    "before a slice": [_SliceIndexMapping(dim=1, start=1, step=3, end=11, reverse=True)],
    "two": [_FlattenIndexMapping(stride=2), _SplitIndexMapping(offset=[3, 20])],
    "of another kind": [lambda indices: indices[::2]],
    "nothing": [lambda indices: []],
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_arrays_are_mapped_as_lists_are(name: str) -> None:
    indices = [_HybridIndex(idx=i, root_idx=i) for i in range(12)]
    for mapping in MAPPINGS[name]:
        indices = mapping(indices)
    found = follow(MAPPINGS[name], 12)
    assert found is not None
    where, roots = found
    assert (where.dtype, roots.dtype) == (np.int64, np.int64)
    assert sorted(zip(where.tolist(), roots.tolist(), strict=True)) == sorted(map(tuple, indices))


@pytest.mark.parametrize(
    "mapping", [_SplitIndexMapping([3]), _SplitIndexMapping([]), _ConcatIndexMapping([3])]
)
def test_a_part_without_an_end_cannot_be_followed(mapping: _SplitIndexMapping) -> None:
    assert follow([mapping], 12) is None

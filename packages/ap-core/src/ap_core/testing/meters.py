"""Conformance of meters."""

from math import isfinite
from typing import TYPE_CHECKING

from ap_core.contracts import DataSource, Meter
from ap_core.testing.requirement import fingerprint, require, require_unchanged

if TYPE_CHECKING:
    from torch.nn import Module


def check_meter(
    meter: Meter,
    module: "Module",
    *,
    input_size: tuple[int, int, int],
    data: DataSource | None = None,
) -> None:
    """Demand of a meter that it gives finite numbers under fixed keys, and changes nothing.

    data: for meters that measure on held-out images.
    """
    before = fingerprint(module)
    first, second = (meter(module, input_size=input_size, data=data) for _ in range(2))
    require_unchanged(before, module, "the meter")
    require(first, "it measured nothing")
    require(set(first) == set(second), f"its keys differ: {sorted(set(first) ^ set(second))}")
    for key, value in first.items():
        require(isinstance(key, str) and key, f"{key!r} is no key")
        require(type(value) in (int, float), f"{key} is {value!r}, no int or float")
        require(isfinite(value), f"{key} is {value}")

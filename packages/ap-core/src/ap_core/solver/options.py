"""Which widths a strategy allows each group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ap_core.errors import UsageError
from ap_core.network import Group, GroupKind, Network
from ap_core.strategy import Strategy

T = TypeVar("T")
IntArray = NDArray[np.int64]

MULTIPLES = ((64, 8), (32, 4), (16, 2))
"""Least width, multiple: what hardware rewards, where the layer is wide enough to bear it."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a strategy says of one group.

    widths: allowed widths, ascending; the whole width is among them unless it is fixed lower.
    pressure: above 1, its channels count less.
    """

    group: Group
    widths: IntArray
    pressure: float


def choices(network: Network, strategy: Strategy, *, finer: int = 1) -> dict[str, Choice]:
    """Allowed widths of every group, locked ones included.

    finer: what the default multiples are divided by; one that the strategy names stays.
    Raises: UsageError for a glob that matches nothing.
    """
    _check_globs(network, strategy)
    return {
        group.name: Choice(
            group=group,
            widths=_widths(group, strategy, finer),
            pressure=_last(strategy.pressure, group, 1.0),
        )
        for group in network.groups
    }


def multiple(group: Group, round_to: int | None, finer: int = 1) -> int:
    """Multiple that the widths of a group are rounded to."""
    if group.kind is GroupKind.HEADS:
        return 1
    if round_to is not None:
        return round_to
    if group.kind is GroupKind.HEAD_SIZE and group.width >= 32:
        return max(1, 8 // finer)
    return max(1, next((m for least, m in MULTIPLES if group.width >= least), 1) // finer)


def _widths(group: Group, strategy: Strategy, finer: int) -> IntArray:
    whole = group.width
    if group.locked or any(_matches(glob, group) for glob in strategy.keep):
        return np.array([whole])
    step = multiple(group, strategy.round_to, finer)
    floor = max(1, ceil(_last(strategy.floors, group, strategy.floor) * whole - 1e-9))
    first = step * ceil(floor / step)
    widths = np.append(np.arange(first, whole, step), whole)
    fixed = _last(strategy.widths, group, None)
    if fixed is None:
        return widths
    nearest = int(np.argmin(np.abs(widths - fixed * whole)))
    return widths[nearest : nearest + 1]


def _last(table: Mapping[str, T], group: Group, default: T) -> T:
    """Value of the last glob that matches."""
    found = default
    for glob, value in table.items():
        if _matches(glob, group):
            found = value
    return found


def _matches(glob: str, group: Group) -> bool:
    return any(fnmatchcase(name, glob) for name in _names(group))


def _names(group: Group) -> Iterable[str]:
    return (group.name, group.scope, group.stage, group.kind.value, *group.producers)


def _check_globs(network: Network, strategy: Strategy) -> None:
    globs = (*strategy.keep, *strategy.pressure, *strategy.floors, *strategy.widths)
    for glob in globs:
        if any(_matches(glob, group) for group in network.groups):
            continue
        known = sorted({name for group in network.groups for name in _names(group)})
        near = get_close_matches(glob, known, n=3, cutoff=0.4) or known[:5]
        raise UsageError(
            f"nothing in {network.model} matches {glob!r}",
            hint=f"nearest: {', '.join(near)}; 'ap profile --layers' lists all",
        )

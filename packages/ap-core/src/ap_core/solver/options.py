"""Which widths a strategy allows each group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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

STEPS = 8
"""Steps that a group is wide at the least: narrower ones have a smaller multiple."""

FINER = (1, 2, 4, 8)
"""What the default multiples are divided by, one after the other, until a plan ends in the band."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a strategy says of one group.

    widths: allowed widths, ascending; the whole width is among them unless it is fixed lower.
    pressure: above 1, its channels count less.
    """

    group: Group
    widths: IntArray
    pressure: float


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a strategy allows.

    groups: choice of every group, locked ones included. blocks: of every block, the widths 1 where
    it may stay and 0 where it may be dropped.
    """

    groups: Mapping[str, Choice]
    blocks: Mapping[str, IntArray]

    @property
    def least(self) -> dict[str, int]:
        """Lowest widths of all groups and blocks."""
        lowest = {name: int(choice.widths[0]) for name, choice in self.groups.items()}
        return lowest | {name: int(widths[0]) for name, widths in self.blocks.items()}


def allowed_by(strategy: Strategy, network: Network, *, finer: int = 1) -> Allowed:
    """What a strategy allows a network.

    finer: what the default multiples are divided by; one that the strategy names stays.
    Raises: UsageError for a glob that matches nothing, and for a block that is kept and dropped.
    """
    _check_globs(network, strategy)
    blocks = _blocks(network, strategy)
    gone = {
        name for block in network.blocks if not blocks[block.name].any() for name in block.groups
    }
    choices = {
        group.name: Choice(
            group=group,
            widths=_widths(group, strategy, finer),
            pressure=_last(strategy.pressure, group, 1.0),
        )
        for group in network.groups
    }
    # What goes with its block has no choice left.
    choices |= {name: replace(choices[name], widths=choices[name].widths[:1]) for name in gone}
    return Allowed(groups=choices, blocks=blocks)


def finenesses(strategy: Strategy) -> tuple[int, ...]:
    """What the default multiples may be divided by; multiples that the strategy names stay."""
    return FINER if strategy.round_to is None else (1,)


def _blocks(network: Network, strategy: Strategy) -> dict[str, IntArray]:
    _check_drops(network, strategy)
    allowed = {}
    for block in network.blocks:
        names = (block.name, block.scope, block.stage)
        kept = any(_matches(glob, names) for glob in strategy.keep)
        dropped = any(_matches(glob, names) for glob in strategy.drop)
        if kept and dropped:
            raise UsageError(f"{block.name} is to be kept and to be dropped")
        may_go = strategy.depth and not kept
        allowed[block.name] = np.array([0] if dropped else [0, 1] if may_go else [1])
    return allowed


def multiple(group: Group, round_to: int | None, finer: int = 1, *, grain: int = 8) -> int:
    """Multiple that the widths of a group are rounded to.

    grain: what hardware rewards, where the layer is wide enough to bear it; half of it, a quarter,
    and so on, where it is not.
    """
    if group.kind is GroupKind.HEADS:
        return 1
    if round_to is not None:
        return round_to
    if group.kind is GroupKind.HEAD_SIZE and group.width >= 32:
        return max(1, min(grain, 8) // finer)
    while grain > 1 and group.width < STEPS * grain:
        grain //= 2
    return max(1, grain // finer)


def _widths(group: Group, strategy: Strategy, finer: int) -> IntArray:
    whole = group.width
    if group.locked or any(_matches(glob, _names(group)) for glob in strategy.keep):
        return np.array([whole])
    step = multiple(group, strategy.round_to, finer, grain=strategy.grain)
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
        if _matches(glob, _names(group)):
            found = value
    return found


def _matches(glob: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in names)


def _names(group: Group) -> tuple[str, ...]:
    return (group.name, group.scope, group.stage, group.kind.value, *group.producers)


def _block_names(network: Network) -> set[str]:
    return {name for block in network.blocks for name in (block.name, block.scope, block.stage)}


def _check_globs(network: Network, strategy: Strategy) -> None:
    groups = {name for group in network.groups for name in _names(group)}
    for glob in (*strategy.pressure, *strategy.floors, *strategy.widths):
        _check_glob(network, glob, groups, "nothing")
    for glob in strategy.keep:
        _check_glob(network, glob, groups | _block_names(network), "nothing")


def _check_drops(network: Network, strategy: Strategy) -> None:
    if network.blocks:
        for glob in strategy.drop:
            _check_glob(network, glob, _block_names(network), "no block")
    elif strategy.drop or strategy.depth:
        raise UsageError(
            f"no block of {network.model} can be dropped whole",
            hint="blocks of ResNet, ConvNeXt and vision transformers can, where a shortcut goes by "
            "unchanged",
        )


def _check_glob(network: Network, glob: str, names: set[str], what: str) -> None:
    if _matches(glob, names):
        return
    known = sorted(names)
    near = get_close_matches(glob, known, n=3, cutoff=0.4) or known[:5]
    raise UsageError(
        f"{what} in {network.model} matches {glob!r}",
        hint=f"nearest: {', '.join(near)}; 'ap profile --layers' lists all",
    )

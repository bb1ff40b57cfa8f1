"""Channel numbers, and what is known about them while a trace is read: ties and locks."""

from dataclasses import dataclass, field

import numpy as np

from ap_models.tracing.ports import IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Lock:
    """Channels that must stay, and why.

    outside: they are the network's input or output, or stand for what cannot be followed; no group
        takes them up.
    """

    channels: IntArray
    reason: str
    outside: bool = False


@dataclass(kw_only=True)
class Labels:
    """Numbers for channels; ties say which are one, locks which must stay, and why.

    Filled by one reader of one trace, then frozen by `resolve`.
    """

    count: int = 0
    ties: list[tuple[IntArray, IntArray]] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    added: list[IntArray] = field(default_factory=list)

    def fresh(self, size: int) -> IntArray:
        """Numbers for `size` new channels."""
        numbers = np.arange(self.count, self.count + size, dtype=np.int64)
        self.count += size
        return numbers

    def tie(self, one: IntArray, other: IntArray) -> None:
        """Make channels one, position by position; equal shapes."""
        self.ties.append((one, other))

    def lock(self, channels: IntArray, reason: str, *, outside: bool = False) -> None:
        """Say that these channels must stay; of several locks on one, the first counts."""
        self.locks.append(Lock(channels=channels, reason=reason, outside=outside))

    def resolve(self) -> IntArray:
        """Number of the component of every channel, shape (count,)."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows = np.concatenate([a for a, _ in self.ties] or [np.zeros(0, np.int64)])
        columns = np.concatenate([b for _, b in self.ties] or [np.zeros(0, np.int64)])
        graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), (self.count, self.count))
        _, components = connected_components(graph, directed=False)
        return np.asarray(components, np.int64)

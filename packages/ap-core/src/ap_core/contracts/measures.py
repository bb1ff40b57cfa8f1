"""What measures a network, or gives it accuracy back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch.nn import Module

    from ap_core.contracts.images import DataSource


class Meter(Protocol):
    """Measures a network; every value is an int or a float under a fixed key."""

    def __call__(
        self, module: Module, *, input_size: tuple[int, int, int], data: DataSource | None
    ) -> Mapping[str, int | float]:
        """Measurements; the module is left as it was."""


class Recovery(Protocol):
    """Gives back accuracy that a cut took, without or with a little data."""

    def __call__(self, module: Module, data: DataSource) -> str:
        """Change the module in place; returns one line that says what was done.

        Returns "" where there is nothing to do for this network.
        """

"""Keeping what a training comes to: its state, to go on from, and its best weights."""

from copy import deepcopy
from typing import TYPE_CHECKING, Protocol

from torch.nn import Module

from ap_train.training.state import Parts, Standing

if TYPE_CHECKING:
    from torch import Tensor


class Keeper(Protocol):
    """Where a training leaves its state and its best weights.

    Every process loads; the main one alone saves, keeps and restores, and the others wait for it.
    """

    def load(self, parts: Parts) -> Standing | None:
        """Put the last state into the parts; None where there is none. On every process."""

    def save(self, parts: Parts, standing: Standing) -> None:
        """Keep the state in place of the last one."""

    def best(self, module: Module) -> None:
        """Keep these weights in place of those kept before."""

    def restore(self, module: Module) -> None:
        """Put the weights to end with into the network; the other processes are given them."""


class InMemory:
    """Keeps the best weights in memory, and no state."""

    def __init__(self) -> None:
        self.weights: dict[str, Tensor] | None = None

    def load(self, parts: Parts) -> Standing | None:  # noqa: ARG002
        """There is none."""
        return None

    def save(self, parts: Parts, standing: Standing) -> None:
        """Keep nothing."""

    def best(self, module: Module) -> None:
        """Keep a copy."""
        self.weights = deepcopy(module.state_dict())

    def restore(self, module: Module) -> None:
        """Put the copy back, if there is one."""
        if self.weights is not None:
            module.load_state_dict(self.weights)

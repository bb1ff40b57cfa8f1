"""Trials, and the evidence that a strategist sees."""

from dataclasses import dataclass

from ap_core.budget import Budget
from ap_core.network import Network
from ap_core.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One strategy, and what was measured of the plan that it led to.

    plan: digest of the plan (SHA-256 of its canonical JSON).
    value, bound: as in the plan.
    loss, accuracy: on held-out data, after statistics were re-estimated; None where there was none.
    seconds: solving and evaluating.
    """

    number: int
    strategist: str
    strategy: Strategy
    plan: str
    macs: int
    params: int
    value: float
    bound: float | None
    loss: float | None = None
    accuracy: float | None = None
    seconds: float = 0.0

    @property
    def merit(self) -> tuple[float, ...]:
        """Sort key: the larger, the better; held-out loss where there is one, else kept value."""
        return (self.value,) if self.loss is None else (-self.loss, self.value)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a strategist may know.

    base: the strategy that the user's options spell out; proposals refine it.
    importances: names of the criteria whose scores are at hand.
    """

    network: Network
    budget: Budget
    base: Strategy
    importances: tuple[str, ...]
    trials: tuple[Trial, ...]
    seed: int

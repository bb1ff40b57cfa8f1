"""Trials, and the evidence that a strategist sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from ap_core.budget import Budget, Tolerance
from ap_core.network import Network
from ap_core.scores import Scores
from ap_core.strategy import Strategy

STAND_IN = "solver"
"""Whose name a trial bears where the base strategy stands in for a proposal of no use."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One strategy, and what was measured of the plan that it led to.

    strategist: who proposed the strategy; STAND_IN where the base strategy stood in.
    plan: digest of the plan (`ap_core.plan.digest`).
    value, bound: as in the plan: by the strategy's own values, so not to be compared with others'.
    retained: kept share of the value by the base strategy's values, which are the same for all.
    loss, accuracy: on held-out data, after statistics were re-estimated; None where there was none.
    latency: femtoseconds of a forward pass, measured; None where the budget has none.
    kept: share of the channels that the plan keeps, by scope.
    seconds: solving and evaluating.
    same_as: earlier trial of the same plan, whose measurements these are; None where it was judged.
    missed: how far the plan is outside the tolerance, where nothing keeps to the budget; else 0.
    failure: why the strategist's own proposal was of no use.
    note: what else is odd about it.
    """

    number: int
    strategist: str
    strategy: Strategy
    plan: str
    macs: int
    params: int
    value: float
    bound: float | None
    retained: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    latency: int | None = None
    kept: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    same_as: int | None = None
    missed: float = 0.0
    failure: str = ""
    note: str = ""

    @property
    def merit(self) -> tuple[float, float, float]:
        """Sort key: the larger, the better; within the tolerance, then held-out loss where there is
        one, then retained value.

        A trial without a loss is worse than any with one.
        """
        loss = inf if self.loss is None else self.loss
        return (-self.missed, -loss, self.value if self.retained is None else self.retained)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a strategist may know.

    base: the strategy that the user's options spell out; proposals refine it.
    importances: names of the criteria whose scores are at hand.
    scores: those of the base strategy, raw; None where they are not at hand.
    uncut: held-out loss of the whole network; None where there is none.
    sensitivity: held-out loss where half of one scope's channels go, by scope; may be empty.
    without: held-out loss where one block is dropped, by block; may be empty.
    tolerance: where nothing keeps to the budget: strategies spell out widths, which are applied as
        they are, and the search has to find the budget by itself. None: the solver keeps to it.
    guessed: names in the base strategy's widths that are where to begin, not what the user fixed.
    left: how many trials may still be made; None where nobody counts.
    """

    network: Network
    budget: Budget
    base: Strategy
    importances: tuple[str, ...]
    trials: tuple[Trial, ...]
    seed: int
    scores: Scores | None = None
    uncut: float | None = None
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    without: Mapping[str, float] = field(default_factory=dict)
    tolerance: Tolerance | None = None
    guessed: frozenset[str] = frozenset()
    left: int | None = None


def best_of(trials: Sequence[Trial]) -> Trial:
    """Trial of the largest merit; of equals, the first."""
    return max(trials, key=lambda trial: trial.merit)

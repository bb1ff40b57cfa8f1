"""Strategies by a tree-structured Parzen estimator, which learns from the trials."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ap_core.search.space import Position, Space, areas_of, space
from ap_core.search.strategists.random import derived_seed
from ap_core.search.trial import Evidence, Trial
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

AREAS = 8
DRAWS = 32
FAR = 1e6
"""Added to what a trial is worth that is outside the tolerance."""

STARTUP = 5
"""Trials drawn by chance before the estimator has anything to learn from."""


class TpeStrategist:
    """Proposes what optuna's TPE sampler makes of the trials so far.

    The study is built anew each time, with a seed from the run's seed and the trial's number, so
    that nothing but the evidence decides.
    Source: Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, section 4.
    """

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Base strategy, then the sampler's choice; None where it knows nothing new."""
        if not evidence.trials:
            return evidence.base
        searched = space(evidence, areas=areas_of(evidence.network, most=AREAS))
        return _sample(searched, evidence)


def _sample(searched: Space, evidence: Evidence) -> Strategy | None:
    import optuna

    distributions = _distributions(searched)
    judged = any(trial.loss is not None for trial in evidence.trials)
    with _silent():
        study = optuna.create_study(
            direction="minimize",
            sampler=optuna.samplers.TPESampler(
                seed=derived_seed(evidence), n_startup_trials=STARTUP
            ),
        )
        for trial in evidence.trials:
            position = searched.position(trial.strategy)
            if position is not None:
                study.add_trial(_told(trial, position, distributions, judged=judged))
        tried = [trial.strategy for trial in evidence.trials]
        for _ in range(DRAWS):
            strategy = searched.strategy(study.ask(distributions).params)
            if strategy not in tried:
                return strategy
    return None


def _distributions(searched: Space) -> dict[str, "BaseDistribution"]:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    return {
        knob.name: IntDistribution(0, len(knob.levels) - 1)
        if knob.ordered
        else CategoricalDistribution(range(len(knob.levels)))
        for knob in searched.knobs
    }


def _told(
    trial: Trial,
    position: Position,
    distributions: dict[str, "BaseDistribution"],
    *,
    judged: bool,
) -> "FrozenTrial":
    """Trial as optuna sees it: smaller is better, and a loss that is missing is the worst.

    Outside the tolerance nothing counts but how far.
    """
    from optuna.trial import TrialState, create_trial

    missed, loss, kept = trial.merit
    value = (-loss if judged else -kept) if not missed else FAR - missed
    failed = judged and trial.loss is None and not missed
    return create_trial(
        params=dict(position),
        distributions=distributions,
        state=TrialState.PRUNED if failed else TrialState.COMPLETE,
        value=None if failed else value,
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep optuna's own log to warnings, for as long as this lasts."""
    from optuna.logging import WARNING, get_verbosity, set_verbosity

    before = get_verbosity()
    set_verbosity(WARNING)
    try:
        yield
    finally:
        set_verbosity(before)

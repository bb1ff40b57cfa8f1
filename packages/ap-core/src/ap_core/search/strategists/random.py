"""Strategies drawn by chance."""

import numpy as np

from ap_core.search.space import areas_of, space
from ap_core.search.trial import Evidence
from ap_core.strategy import Strategy

AREAS = 8
DRAWS = 64


class RandomStrategist:
    """Draws every knob's level evenly, by the run's seed and the trial's number."""

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Base strategy, then one that was not tried; None where there seems to be none left."""
        if not evidence.trials:
            return evidence.base
        searched = space(evidence, areas=areas_of(evidence.network, most=AREAS))
        tried = [trial.strategy for trial in evidence.trials]
        generator = np.random.default_rng(derived_seed(evidence))
        for _ in range(DRAWS):
            position = {
                knob.name: int(generator.integers(len(knob.levels))) for knob in searched.knobs
            }
            strategy = searched.strategy(position)
            if strategy not in tried:
                return strategy
        return None


def derived_seed(evidence: Evidence) -> int:
    """Seed of the next trial, from the run's seed and the trial's number."""
    entropy = (evidence.seed % 2**64, len(evidence.trials))
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])

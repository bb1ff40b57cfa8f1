"""The default strategist: one good strategy at once, then a few variations of the best."""

from collections.abc import Iterator

from ap_core.search.trial import Evidence, best_of
from ap_core.strategy import Normalisation, Ranking, Strategy

SMOOTHINGS = (0.1, 0.5, 1.0, 0.0, 2.0)


class SolverStrategist:
    """Proposes the base strategy; where more trials are allowed, one change of the best at a time.

    The changes come in a fixed order, those of most effect first: the other importances at hand,
    ranking, normalisation, smoothing.
    """

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Base strategy, then the best so far with the next change."""
        if not evidence.trials:
            return evidence.base
        changes = list(_changes(evidence))
        number = len(evidence.trials) - 1
        if number >= len(changes):
            return None
        best = best_of(evidence.trials).strategy
        field, value = changes[number]
        rationale = f"the best so far, with {field} {value}"
        return Strategy.model_validate(dict(best) | {field: value, "rationale": rationale})


def _changes(evidence: Evidence) -> Iterator[tuple[str, object]]:
    base = evidence.base
    for importance in evidence.importances:
        if importance != base.importance:
            yield "importance", importance
    for ranking in (Ranking.GLOBAL, Ranking.ISOMORPHIC):
        if ranking != base.ranking:
            yield "ranking", ranking
    for normalisation in (Normalisation.NONE, Normalisation.MEAN, Normalisation.GAUSSIAN):
        if normalisation != base.normalisation:
            yield "normalisation", normalisation
    for smoothing in SMOOTHINGS:
        if smoothing != base.smoothing:
            yield "smoothing", smoothing

"""Scores on demand: each importance scores each channel once, whatever number of trials asks."""

from typing import TYPE_CHECKING

from ap_core.contracts import Tracing
from ap_core.errors import DataError
from ap_core.pipeline.opening.subject import Subject
from ap_core.plugins.offers import ImportanceOffer
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_core.scores import Scores
from ap_core.strategy import Reduction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ap_core.contracts import ImageBatch

WITH_DATA = "taylor"
WITHOUT_DATA = "l2"


def require_data(offer: ImportanceOffer, *, given: bool) -> None:
    """Refuse an importance that needs data where none are given. Raises: DataError."""
    if offer.needs_data and not given:
        raise DataError(
            f"the importance {offer.name!r} needs data",
            hint="give images with --data, or take l2, which needs none",
        )


def suited_reduction(offer: ImportanceOffer) -> Reduction:
    """Changes of the loss add up over the layers that lose a channel; norms of weights do not.

    By the mean, a channel that every block reads and writes would count like one that two layers
    share.
    """
    return Reduction.SUM if offer.additive else Reduction.MEAN


def worth_proposing(registry: Registry, *, with_data: bool) -> tuple[str, ...]:
    """Importances worth proposing: no control, and without data, those that need none."""
    offers = registry.importances
    return tuple(
        name
        for name in sorted(offers)
        if not offers[name].control and (with_data or not offers[name].needs_data)
    )


class ScoreBook:
    """Scores of one network by importance and reduction; kept in the run once there is one."""

    def __init__(
        self,
        registry: Registry,
        subject: Subject,
        tracing: Tracing,
        *,
        batches: "Callable[[], Sequence[ImageBatch]] | None",
        seed: int,
    ) -> None:
        self._registry = registry
        self._subject = subject
        self._tracing = tracing
        self._batches = batches
        self._seed = seed
        self._known: dict[tuple[str, Reduction], Scores] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Importances worth proposing with what there is of data."""
        return worth_proposing(self._registry, with_data=self._batches is not None)

    def scores(
        self, importance: str, reduction: Reduction | None = None, run: RunDirectory | None = None
    ) -> Scores:
        """Scores of every channel; a run that lacks them gets them.

        reduction: None for what suits the importance.
        Raises: UnknownNameError, DataError where there is no data.
        """
        if reduction is None:
            reduction = suited_reduction(self._registry.importances[importance])
        key = (importance, reduction)
        if key not in self._known:
            self._known[key] = self._kept(importance, reduction, run) or self._fresh(*key)
        found = self._known[key]
        if run and not run.has_scores(importance=importance, reduction=reduction.value):
            run.save_scores(found)
        return found

    def _kept(
        self, importance: str, reduction: Reduction, run: RunDirectory | None
    ) -> Scores | None:
        if run is None:
            return None
        return run.load_scores(importance=importance, reduction=reduction.value)

    def _fresh(self, importance: str, reduction: Reduction) -> Scores:
        offer = self._registry.importances[importance]
        require_data(offer, given=self._batches is not None)
        return self._subject.adapter.score(
            self._subject.loaded.module,
            self._tracing,
            offer,
            reduction=reduction,
            batches=self._batches() if self._batches and offer.needs_data else (),
            seed=self._seed,
        )

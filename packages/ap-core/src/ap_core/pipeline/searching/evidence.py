"""What a search knows before a trial: measured by a session, or read from the run that keeps it."""

from ap_core.agents.profiling import cheapest_blocks, costliest
from ap_core.budget import Budget, parse_tolerance
from ap_core.cost import CostModel
from ap_core.errors import ModelError, RunError
from ap_core.network import Network
from ap_core.pipeline.opening.scorebook import suited_reduction, worth_proposing
from ap_core.pipeline.opening.session import Session
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.quality import measure_with
from ap_core.pipeline.searching.sensitivity import block_gone, half_gone, losses
from ap_core.pipeline.searching.trying import judge_of, scores_of
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import RunRecord, SensitivityRecord
from ap_core.scores import Scores
from ap_core.search.space import WIDTHS
from ap_core.search.trial import Evidence, Trial
from ap_core.strategy import Strategy

SCOPES = 12
"""Scopes whose sensitivity is measured: each costs as much as judging a trial."""

BLOCKS = 8
"""Blocks without which the loss is measured."""


def evidence_of(
    session: Session,
    budget: Budget,
    run: RunDirectory | None,
    *,
    allowance: int,
    sensitivity: bool,
) -> Evidence:
    """Evidence of a session and a run; scores and sensitivity are kept in the run.

    run: None for a dry run, which keeps nothing.
    allowance: trials that the search may make.
    sensitivity: whether to measure it, as an analysis is told it.
    Raises: DataError, ModelError.
    """
    measured = _measured(session, budget, run) if sensitivity else None
    return _evidence(
        session.options,
        session.network,
        budget,
        session.base,
        importances=_importances(session, run, allowance),
        trials=run.trials() if run else (),
        scores=scores_of(session, session.base, run),
        measured=measured,
    )


def kept_evidence(run: RunDirectory, record: RunRecord, registry: Registry) -> Evidence:
    """The same evidence, of what a run keeps: neither its network nor its images are loaded.

    Raises: RunError where the run does not keep all of it.
    """
    options = PruneOptions.parse(record.options)
    base = options.strategy.model_copy(update={"importance": options.importance})
    scores = _kept_scores(run, base, registry)
    measured = run.sensitivity()
    if scores is None or (options.data and measured is None):
        raise RunError(
            f"the run {run.path} lacks what is measured at its start",
            hint=f"measure it: ap drive start --resume {run.path}",
        )
    return _evidence(
        options,
        run.network(),
        record.budget.to_budget(),
        base,
        importances=_kept_importances(run, options, registry),
        trials=run.trials(),
        scores=scores,
        measured=measured,
    )


def _evidence(
    options: PruneOptions,
    network: Network,
    budget: Budget,
    base: Strategy,
    *,
    importances: tuple[str, ...],
    trials: tuple[Trial, ...],
    scores: Scores,
    measured: SensitivityRecord | None,
) -> Evidence:
    guess = _guess(network, budget) if options.raw else {}
    return Evidence(
        network=network,
        budget=budget,
        base=base.model_copy(update={"widths": guess | base.widths}),
        importances=importances,
        trials=trials,
        seed=options.seed,
        scores=scores,
        uncut=measured.uncut if measured else None,
        sensitivity=measured.scopes if measured else {},
        without=measured.blocks if measured else {},
        tolerance=parse_tolerance(options.raw) if options.raw else None,
        guessed=frozenset(guess) - set(base.widths),
    )


def _importances(session: Session, run: RunDirectory | None, allowance: int) -> tuple[str, ...]:
    """Importances that can be proposed; of those that need no images, those that find anything."""
    base = session.base.importance
    if allowance == 1:
        return (base,)
    offers = session.registry.importances
    named = set(session.book.names)
    for name in sorted(named - {base}):
        if not offers[name].needs_data and not _scores_anything(session, name, run):
            named.remove(name)
    return tuple(sorted({*named, base}))


def _kept_importances(
    run: RunDirectory, options: PruneOptions, registry: Registry
) -> tuple[str, ...]:
    """The same: what needs no images was scored at the start, and kept where it found anything."""
    base = str(options.importance)
    if options.trials == 1:
        return (base,)
    offers = registry.importances
    named = {
        name
        for name in worth_proposing(registry, with_data=bool(options.data))
        if offers[name].needs_data
        or run.has_scores(importance=name, reduction=suited_reduction(offers[name]).value)
    }
    return tuple(sorted({*named, base}))


def _kept_scores(run: RunDirectory, base: Strategy, registry: Registry) -> Scores | None:
    reduction = base.reduction or suited_reduction(registry.importances[base.importance])
    return run.load_scores(importance=base.importance, reduction=reduction.value)


def _scores_anything(session: Session, importance: str, run: RunDirectory | None) -> bool:
    try:
        scores_of(session, Strategy(importance=importance), run)
    except ModelError:
        return False
    return True


def _guess(network: Network, budget: Budget) -> dict[str, float]:
    """Widths to begin with where nothing keeps to the budget: of products of two, each its root."""
    cap = budget.caps[0]
    share = (cap.limit / CostModel(network).cost(cap.metric, network.whole)) ** 0.5
    kinds = dict.fromkeys(group.kind.value for group in network.free)
    return {kind: max(WIDTHS[0], round(share * 20) / 20) for kind in kinds}


def _measured(
    session: Session, budget: Budget, run: RunDirectory | None
) -> SensitivityRecord | None:
    """Held-out loss of the uncut network, where half of each scope goes, and where a block does;
    kept in the run.
    """
    if session.data is None:
        return None
    kept = run.sensitivity() if run else None
    if kept is not None:
        return kept
    scores, size = scores_of(session, session.base, run), session.network.input_size
    network, metric, name = session.network, budget.caps[0].metric, session.base.importance
    scopes = costliest(network, metric, SCOPES)
    blocks = cheapest_blocks(network, metric, scores, BLOCKS)
    with (
        session.watch.stage("sensitivity"),
        session.progress.progress(len(scopes + blocks), "measuring sensitivity") as advance,
    ):
        measure = measure_with(session.registry, session.data, size, report=False)
        judge = judge_of(session, run)
        halves = {scope: half_gone(network, scores, name, scope) for scope in scopes}
        gone = {block: block_gone(network, scores, name, block) for block in blocks}
        measured = SensitivityRecord(
            uncut=measure(session.subject.loaded.module).loss,
            scopes=losses(halves, judge, advance),
            blocks=losses(gone, judge, advance),
        )
    if run is not None:
        run.write_sensitivity(measured)
    return measured

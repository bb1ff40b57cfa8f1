"""From a plan to a verified network on disk: cut, check, recover, save, reload, measure."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ap_core.contracts import Surgery
from ap_core.pipeline.finishing.clock import check_latency
from ap_core.pipeline.finishing.verify import check_counts, check_cut, check_reloaded
from ap_core.pipeline.opening.session import Session
from ap_core.pipeline.quality import Measure, measure_with, recover
from ap_core.plan import Plan
from ap_core.runs.directory import WEIGHTS, RunDirectory
from ap_core.runs.records import LatencyRecord, QualityRecord, RecoveryRecord

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A cut network, reloaded from its file, with what was measured of it.

    quality: of the reloaded network, on the report split.
    """

    module: "Module"
    surgery: Surgery
    difference: float
    counters: dict[str, int]
    baseline: QualityRecord | None
    quality: QualityRecord | None
    recoveries: tuple[RecoveryRecord, ...]
    latency: LatencyRecord | None


def apply_plan(session: Session, plan: Plan, run: RunDirectory) -> Applied:
    """Cut the network by the plan, verify it, recover it, save it into the run, and measure it.

    The network of the session stays whole. Raises: ModelError where verification fails, RunError
    where the file cannot be written.
    """
    subject, watch, seed = session.subject, session.watch, session.options.seed
    size = session.network.input_size
    with watch.stage("cut"), session.progress.progress(None, "cutting"):
        cut = subject.adapter.copy(subject.loaded.module)
        surgery = subject.adapter.cut(cut, session.tracing, plan)
    measure = _measure(session)
    with ThreadPoolExecutor(max_workers=1) as background:
        # The disk is slow and needs no processor. Where no recovery will change the network any
        # more, it is written while it is verified; a run that fails there is never loaded.
        saving = background.submit(_save, session, cut, run) if measure is None else None
        with watch.stage("verify"), session.progress.progress(None, "verifying"):
            difference = check_cut(subject, session.tracing, plan, cut, seed=seed)
        baseline, recoveries = _recovered(session, cut, measure)
        with watch.stage("save"):
            (saving or background.submit(_save, session, cut, run)).result()
    with watch.stage("verify"), session.progress.progress(None, "verifying the saved file"):
        reloaded = reload(session, surgery, run)
        counters = check_counts(session.registry, plan, reloaded, size)
        check_reloaded(subject, cut, reloaded)
        quality = measure(reloaded) if measure else None
    latency = check_latency(session, plan, reloaded, run)
    return Applied(
        module=reloaded,
        surgery=surgery,
        difference=difference,
        counters=counters,
        baseline=baseline,
        quality=quality,
        recoveries=recoveries,
        latency=latency,
    )


def _save(session: Session, cut: "Module", run: RunDirectory) -> None:
    with run.writing(WEIGHTS) as path:
        session.subject.adapter.save(cut, path)


def reload(session: Session, surgery: Surgery, run: RunDirectory) -> "Module":
    """Cut network from the run's file, as `load_model` builds it."""
    blank = session.subject.adapter.blank(session.subject.loaded.module)
    return session.subject.adapter.restore(blank, surgery, run.path / WEIGHTS)


def _measure(session: Session) -> Measure | None:
    if session.data is None:
        return None
    size = session.network.input_size
    return measure_with(session.registry, session.data, size, report=True)


def _recovered(
    session: Session, cut: "Module", measure: Measure | None
) -> tuple[QualityRecord | None, tuple[RecoveryRecord, ...]]:
    """Quality of the whole network, and what recoveries made of the cut one, in place."""
    if session.data is None or measure is None:
        return None, ()
    with session.watch.stage("recover"), session.progress.progress(None, "recovering"):
        baseline = measure(session.subject.loaded.module)
        names = session.options.recoveries
        return baseline, recover(session.registry, names, cut, session.data, measure)

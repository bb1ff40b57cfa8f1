"""What several targets share: the loaded network, its profile, the data, the scores."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import DataSource, ModelRequest, Tracing, WeightsOrigin
from ap_core.cost import CostModel
from ap_core.errors import RunError
from ap_core.network import Network
from ap_core.pipeline.opening.data import open_data
from ap_core.pipeline.opening.latency import timed_network
from ap_core.pipeline.opening.llm import OpenLlm, open_llm, settled
from ap_core.pipeline.opening.scorebook import WITH_DATA, WITHOUT_DATA, ScoreBook, require_data
from ap_core.pipeline.opening.subject import LIVE, Subject, live_subject, load_subject
from ap_core.pipeline.opening.timing import TimedStack
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, Stopwatch
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import counted
from ap_core.runs.directory import PROFILE, RunDirectory, runs_inside
from ap_core.runs.records import RunRecord
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Session:
    """One network, traced, with data and scores at hand.

    network: groups and costs, latency among them where it is capped.
    timed: the stack that latencies are measured on; None where none are.
    """

    registry: Registry
    options: PruneOptions
    subject: Subject
    tracing: Tracing
    network: Network
    timed: TimedStack | None
    data: DataSource | None
    book: ScoreBook
    base: Strategy
    llm: OpenLlm | None
    watch: Stopwatch
    progress: Progress

    @cached_property
    def cost(self) -> CostModel:
        """What the network costs as a function of the widths."""
        return CostModel(self.network)


def open_session(
    registry: Registry,
    options: PruneOptions,
    progress: Progress,
    *,
    module: "Module | None" = None,
    before: RunRecord | None = None,
    known: Network | None = None,
    check: Callable[[Network, Strategy], None] = lambda _network, _base: None,
) -> Session:
    """Load, trace, open the data; nothing is scored yet.

    module: a live network, in the place of the one that the options name.
    before: record of the run that goes on; its network and its images must be the same.
    known: network that the run keeps, with its latency; None where it keeps none.
    check: raises what is out of reach: before the images are looked at and anything is timed, and
        once more where a latency is known.
    Raises: any expected error of loading, tracing and opening data; RunError where the weights or
    the images are not those of the run.
    """
    options = settled(options, registry, progress)
    _check_names(registry, options)
    llm = open_llm(options, registry)
    watch = Stopwatch()
    with watch.stage("load"), progress.progress(None, f"loading {options.model}"):
        subject = _subject(registry, options, module, progress)
    for warning in subject.loaded.warnings:
        progress.warn(warning)
    _check_same(subject, before)
    with watch.stage("trace"), progress.progress(None, "tracing"):
        tracing = subject.adapter.trace(subject.loaded.module, subject.loaded.architecture)
    for operator in tracing.network.uncounted:
        progress.warn(f"{operator} does arithmetic that no counter knows; it is not in the MACs")
    _tell_groups(tracing.network, progress)
    base = _base(options, subject, progress)
    check(tracing.network, base)
    with watch.stage("data"), progress.progress(None, "opening the images"):
        data = open_data(registry, options, subject.loaded.architecture)
    _warn_of_skipped(data, progress)
    _check_same_images(data, before)
    with watch.stage("time") if options.stack else nullcontext():
        timed, network, options = timed_network(
            registry, options, subject, tracing, progress, before=before, known=known
        )
    base = base.model_copy(update={"grain": options.strategy.grain})
    if network.latency:
        check(network, base)
    book = ScoreBook(
        registry,
        subject,
        tracing,
        batches=(lambda: list(data.calibration())) if data else None,
        seed=options.seed,
    )
    return Session(
        registry=registry,
        options=options.model_copy(update={"importance": base.importance}),
        subject=subject,
        tracing=tracing,
        network=network,
        timed=timed,
        data=data,
        book=book,
        base=base,
        llm=llm,
        watch=watch,
        progress=progress,
    )


def reopen_session(
    registry: Registry,
    before: RunRecord,
    path: Path,
    progress: Progress,
    *,
    module: "Module | None" = None,
) -> Session:
    """Session of a run that was begun before: the same network, the same images.

    Raises: RunError where they are not the same, or the network is gone; else as `open_session`.
    """
    if module is None and before.architecture.name.startswith(LIVE):
        raise RunError(
            f"the run {path} was started with a network in memory",
            hint="go on from Python, and give it again: module=...",
        )
    options = PruneOptions.parse(before.options)
    return open_session(
        registry, options, progress, module=module, before=before, known=_known(path)
    )


def _known(path: Path) -> Network | None:
    """Network that a run keeps, or the first of several targets' runs; None where none does."""
    runs = runs_inside(path) or (RunDirectory.open(path),)
    return next((run.network() for run in runs if (run.path / PROFILE).exists()), None)


def _tell_groups(network: Network, progress: Progress) -> None:
    progress.note(
        f"{network.model}: {len(network.free)} of {len(network.groups)} groups can be cut"
    )
    for group in network.groups:
        if group.locked:
            progress.detail(f"{group.name} keeps all channels: {group.locked}")


def _check_names(registry: Registry, options: PruneOptions) -> None:
    """Look up what the options name, before any work is spent."""
    registry.recoveries.require(*options.recoveries or ())
    if options.stack is not None:
        registry.timers.require(options.stack.backend)
    if options.importance is not None:
        require_data(registry.importances[options.importance], given=bool(options.data))


def _subject(
    registry: Registry, options: PruneOptions, module: "Module | None", progress: Progress
) -> Subject:
    """Network that the options name, or a copy of the live one, on the CPU and in eval mode."""
    if module is not None:
        return _copied(live_subject(registry, module, options.input_size, progress))
    request = ModelRequest(
        name=options.model,
        num_classes=options.num_classes,
        input_size=options.input_size,
        weights=options.weights,
        checkpoint=options.checkpoint,
        seed=options.seed,
    )
    return load_subject(registry, request, progress)


def _copied(live: Subject) -> Subject:
    module = live.adapter.copy(live.loaded.module).cpu().eval()
    digest = live.adapter.digest(module)
    return replace(live, loaded=replace(live.loaded, module=module, weights_sha256=digest))


def _warn_of_skipped(data: DataSource | None, progress: Progress) -> None:
    skipped = data.record().get("skipped") if data else None
    if isinstance(skipped, list) and skipped:
        named = ", ".join(map(str, skipped[:3]))
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        images = counted(len(skipped), "image")
        progress.warn(f"{images} cannot be read, left out: {named}{more}")


def _check_same(subject: Subject, before: RunRecord | None) -> None:
    if before and before.weights.sha256 != subject.loaded.weights_sha256:
        raise RunError(
            f"the weights of {before.model} are not those that the run was started with",
            hint="give the same checkpoint, or start a new run",
        )


def _check_same_images(data: DataSource | None, before: RunRecord | None) -> None:
    found = None if data is None else json.loads(json.dumps(data.record()))
    if before and before.data != found:
        raise RunError(
            "the images are not those that the run was started with",
            hint="put them back, or start a new run",
        )


def _base(options: PruneOptions, subject: Subject, progress: Progress) -> Strategy:
    """Strategy that the options spell out, with the default importance filled in."""
    importance = options.importance
    if importance is None:
        importance = WITH_DATA if options.data else WITHOUT_DATA
        if not options.data:
            progress.note("no --data: channels are ranked by the L2 norm of their weights")
        elif subject.loaded.origin is WeightsOrigin.RANDOM:
            progress.warn("gradients of random weights rank channels at random")
    return options.strategy.model_copy(update={"importance": importance})

"""Measuring networks beside each other: what a cut really buys."""

from collections.abc import Callable, Sequence

import torch

from ap_bench.measuring.cautions import warn_of_denormals, warn_of_sizes
from ap_bench.measuring.devices import measuring, resolved
from ap_bench.measuring.facts import facts_of
from ap_bench.measuring.fresh import measure_fresh
from ap_bench.measuring.machine import machine
from ap_bench.measuring.options import BenchOptions, Combination
from ap_bench.measuring.results import Bench, Facts, Result, Timed
from ap_bench.measuring.rounds import compare
from ap_bench.measuring.settings import CPU, Backend, Settings, check
from ap_bench.measuring.subjects import Named, Subject, kind_of, open_subject
from ap_core.errors import UsageError
from ap_core.estimates import (
    estimated_median,
    outliers,
    paired_ratio,
    percentile,
)
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.plugins.registry import Registry

Advance = Callable[[int], None]


def bench(
    subjects: Sequence[str],
    options: BenchOptions | None = None,
    *,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Measure models, runs and files (.onnx, .pt2) under every combination of the options.

    Ratios are over the first that is named; a run that is named alone has its whole network put
    before it. All that can be refused is refused before anything is measured.

    subjects: as on the command line; one may be named twice. registry: None for what is installed.
    Raises: UsageError, UnknownNameError, ModelError, RunError.
    """
    options = options or BenchOptions()
    registry = registry or Registry.from_entry_points()
    progress = progress or WarningsOnly()
    combinations = [_on_this_machine(each) for each in options.combinations()]
    opened = [open_subject(registry, each) for each in named(subjects, options)]
    plans = [[_settings(each, subject) for subject in opened] for each in combinations]
    facts = tuple(facts_of(registry, each, progress) for each in opened)
    warn_of_sizes(facts, progress)
    with progress.progress(options.rounds * len(plans), "measuring") as advance:
        groups = [_results(facts, plan, _timed(opened, plan, options, advance)) for plan in plans]
    warn_of_denormals(groups, progress)
    return Bench(environment=machine(), fresh=options.fresh, facts=facts, groups=tuple(groups))


def named(subjects: Sequence[str], options: BenchOptions) -> tuple[Named, ...]:
    """Subjects in order; before a run that is alone, its whole network. Raises: UsageError."""
    if not subjects:
        raise UsageError("nothing to measure", hint="name a model, a run or a file")
    kinds = [kind_of(text) for text in subjects]
    if options.input_size is not None and "model" not in kinds:
        raise UsageError(
            "--input-size does nothing: no model is named", hint="runs and files have their own"
        )
    found = [Named(text=text, input_size=options.input_size) for text in subjects]
    if kinds == ["run"]:
        found.insert(0, Named(text=subjects[0], whole=True))
    return tuple(found)


def _on_this_machine(combination: Combination) -> Combination:
    """The combination with its device's full name. Raises: UsageError."""
    device = resolved(combination.device)
    found = combination.model_copy(update={"device": device})
    backend = found.backend or Backend.EAGER
    check(Settings(**{**dict(found), "backend": backend}))
    return found


def _settings(combination: Combination, subject: Subject) -> Settings:
    """What the subject is measured under. Raises: UsageError."""
    given = dict(combination)
    given["backend"] = combination.backend or subject.source.own
    check(Settings(**given))
    if combination.device == CPU:
        given["threads"] = combination.threads or torch.get_num_threads()
    settings = Settings(**given)
    subject.source.check(settings)
    return settings


def _timed(
    opened: Sequence[Subject], plan: Sequence[Settings], options: BenchOptions, advance: Advance
) -> Sequence[Timed]:
    if options.fresh:
        names = [each.named for each in opened]
        return measure_fresh(names, plan, rounds=options.rounds, advance=advance)
    with measuring(plan[0].threads):
        if any(each.backend is Backend.COMPILE for each in plan):
            torch.compiler.reset()
        ready = [
            subject.source.prepare(settings) for subject, settings in zip(opened, plan, strict=True)
        ]
        timings = compare(ready, rounds=options.rounds, advance=advance)
    return [
        Timed(timings=timing, memory=each.memory, denormals=each.denormals)
        for each, timing in zip(ready, timings, strict=True)
    ]


def _results(
    facts: Sequence[Facts], plan: Sequence[Settings], timed: Sequence[Timed]
) -> tuple[Result, ...]:
    first = timed[0].timings.rounds
    return tuple(
        _result(fact, settings, each, None if number == 0 else first)
        for number, (fact, settings, each) in enumerate(zip(facts, plan, timed, strict=True))
    )


def _result(
    facts: Facts, settings: Settings, timed: Timed, first: Sequence[float] | None
) -> Result:
    rounds, passes = timed.timings.rounds, timed.timings.passes
    return Result(
        facts=facts,
        settings=settings,
        latency=estimated_median(rounds),
        p90=percentile(passes, 0.9),
        throughput=settings.batch_size * len(passes) / sum(passes),
        memory=timed.memory,
        denormals=timed.denormals,
        ratio=None if first is None else paired_ratio(first, rounds),
        rounds=rounds,
        outliers=outliers(rounds),
    )

"""What the page of one run shows: its documents, turned into values that a template can lay out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ap_core.budget import NAMES
from ap_core.estimates import Estimate
from ap_core.network import SECOND, Metric
from ap_core.plan import digest, dropped_blocks
from ap_core.report.amounts import amount, percent, time_taken
from ap_core.report.bars import BarChart, stage_chart, width_chart
from ap_core.report.bench_file import BenchFile
from ap_core.report.caps import budget_in_full, limit_text
from ap_core.report.commands import NextStep, go_on, next_steps, reproduce
from ap_core.report.documents import Documents
from ap_core.report.latency import Latency, latencies
from ap_core.report.summary import GroupWidth, Part, by_kind, by_stage, group_widths
from ap_core.report.training import TrainingPage, training_page
from ap_core.runs.records import DecisionRecord, QualityRecord, ResultRecord, RunRecord
from ap_core.search.trial import STAND_IN, Trial, best_of
from ap_core.strategy import Strategy

SPLITS, SIZE, DIGEST = "splits.", ".images", "sha256"
"""How the names of what a run keeps of its images begin and end."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that must not be missed."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Amount:
    """One metric before and after, in a unit that makes it an integer.

    before: None where it is not known. limit: its cap, if it has one. spell: how it is written.
    notes: what else to know of it.
    """

    name: str
    before: int | None
    after: int
    limit: int | None
    spell: Callable[[int], str] = amount
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QualityRow:
    """Accuracy at one point of the run."""

    name: str
    quality: QualityRecord
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class CounterRow:
    """What one counter of MACs says, before and after."""

    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came out of a finished run."""

    result: ResultRecord
    amounts: tuple[Amount, ...]
    latencies: tuple[Latency, ...]
    counters: tuple[CounterRow, ...]
    qualities: tuple[QualityRow, ...]
    stages: tuple[Part, ...]
    kinds: tuple[Part, ...]
    widths: tuple[GroupWidth, ...]
    stage_chart: BarChart
    width_chart: BarChart
    dropped: tuple[str, ...]
    plan_digest: str
    steps: tuple[NextStep, ...]


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """Everything that the page of a run shows.

    limits, budget: the caps in short, and in full.
    data, data_record: the images, in short and as the run keeps them.
    outcome: None where it is not finished.
    """

    title: str
    path: Path
    record: RunRecord
    alarms: tuple[Alarm, ...]
    limits: str
    budget: str
    options: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    data_record: tuple[tuple[str, str], ...]
    trials: tuple[Trial, ...]
    decisions: Mapping[int, DecisionRecord]
    best: int | None
    outcome: Outcome | None
    training: TrainingPage | None
    reproduce: str
    go_on: str


def run_page(run: Documents, bench: BenchFile | None = None) -> RunPage:
    """Page of one run. bench: latencies besides its own.

    Raises: RunError where its documents are damaged, UsageError where the file does not fit it.
    """
    record, trials = run.record(), run.trials()
    outcome = None if record.result is None else _outcome(run, record, record.result, bench)
    best = best_of(trials).number if trials else None
    return RunPage(
        title=record.model,
        path=run.path,
        record=record,
        alarms=tuple(_alarms(run, record, trials)),
        limits=" and ".join(map(limit_text, record.budget.caps)),
        budget=budget_in_full(record.budget),
        options=tuple(flattened(record.options)),
        data=tuple(_data_facts(record.data or {})),
        data_record=tuple(flattened(record.data or {})),
        trials=trials,
        decisions={decision.trial: decision for decision in run.decisions()},
        best=record.result.best_trial if record.result else best,
        outcome=outcome,
        training=training_page(run.training()),
        reproduce=reproduce(record.command),
        go_on="" if record.status == "done" else go_on(run.path, driven=record.driven),
    )


def flattened(document: Mapping[str, object], lead: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values of a nested document, one by one; what is empty is left out."""
    for key, value in document.items():
        match value:
            case None | "" | []:
                continue
            case dict():
                yield from flattened(value, f"{lead}{key}.")
            case list() | tuple():
                yield f"{lead}{key}", ", ".join(str(each) for each in value)
            case _:
                yield f"{lead}{key}", str(value)


def _data_facts(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What is known of the images, in short: no digests, and the sizes of all splits at once."""
    known = [(name, value) for name, value in flattened(data) if not name.endswith(DIGEST)]
    sizes = [(name[len(SPLITS) : -len(SIZE)], value) for name, value in known if _is_size(name)]
    if sizes:
        yield "splits", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sizes)
    yield from (each for each in known if not _is_size(each[0]))


def _is_size(name: str) -> bool:
    """Whether a fact is how many images a split has."""
    return name.startswith(SPLITS) and name.endswith(SIZE)


def _alarms(run: Documents, record: RunRecord, trials: tuple[Trial, ...]) -> Iterator[Alarm]:
    if record.status == "failed":
        yield Alarm(title="This run failed.", text=record.failure)
    if record.status == "running":
        yield Alarm(title="This run is not finished.", text="What follows is what there is so far.")
    if record.weights.origin == "random":
        yield Alarm(
            title="Random weights.",
            text="This network was never trained: its costs are exact, but which channels were "
            "chosen, and any accuracy, mean nothing.",
        )
    for warning in record.weights.warnings:
        yield Alarm(title="Warning of the model.", text=warning)
    if record.result is None:
        return
    for operator in run.network().uncounted:
        yield Alarm(
            title="Uncounted operator.",
            text=f"{operator} does arithmetic that no counter knows; it is not in the MACs.",
        )
    failed = [trial for trial in trials if trial.strategist == STAND_IN and trial.failure]
    if failed:
        yield Alarm(
            title="A strategist's proposals were of no use.",
            text=f"In {len(failed)} of {len(trials)} trials the built-in strategist stood in: "
            f"{failed[0].failure}",
        )


def _outcome(
    run: Documents, record: RunRecord, result: ResultRecord, bench: BenchFile | None
) -> Outcome:
    network, plan = run.network(), run.plan()
    measured = tuple(latencies(run.path, record, result, bench).values())
    stages = by_stage(network, plan.widths)
    return Outcome(
        result=result,
        amounts=(*_amounts(record, result), *_latency(record, measured)),
        latencies=measured,
        counters=tuple(_counters(result)),
        qualities=tuple(_qualities(result)),
        stages=stages,
        kinds=by_kind(network, plan.widths),
        widths=group_widths(network, plan.widths),
        stage_chart=stage_chart(stages),
        width_chart=width_chart(network, plan),
        dropped=tuple(block.name for block in dropped_blocks(network, plan)),
        plan_digest=digest(plan),
        steps=next_steps(run.path, record),
    )


def _amounts(record: RunRecord, result: ResultRecord) -> Iterator[Amount]:
    limits = {cap.metric: cap.limit for cap in record.budget.caps}
    found = {
        Metric.MACS: (result.base_macs, result.macs),
        Metric.PARAMS: (result.base_params, result.params),
    }
    for metric, (before, after) in found.items():
        yield Amount(name=NAMES[metric], before=before, after=after, limit=limits.get(metric.value))


def _latency(record: RunRecord, measured: tuple[Latency, ...]) -> Iterator[Amount]:
    """The latency that the run was cut to, else the first that is known."""
    limits = {cap.metric: cap.limit for cap in record.budget.caps}
    for each in measured[:1]:
        faster = () if each.faster is None else (_faster_text(each.faster),)
        yield Amount(
            name=NAMES[Metric.LATENCY],
            before=None if each.whole is None else round(SECOND * each.whole),
            after=round(SECOND * each.seconds),
            limit=limits.get(Metric.LATENCY.value) if each.source is None else None,
            spell=time_taken,
            notes=(*faster, ", ".join(each.setting.under)),
        )


def _faster_text(faster: Estimate) -> str:
    low, high = f"{faster.low:.2f}", f"{faster.high:.2f}"
    return f"{faster.value:.2f} times as fast, {low} to {high} (95 %)"


def _counters(result: ResultRecord) -> Iterator[CounterRow]:
    yield CounterRow(name="ap", before=result.base_macs, after=result.macs)
    for name in sorted(result.base_counters.keys() | result.counters.keys()):
        yield CounterRow(
            name=name.removesuffix("_macs").replace("_", "-"),
            before=result.base_counters.get(name),
            after=result.counters.get(name),
        )


def _qualities(result: ResultRecord) -> Iterator[QualityRow]:
    if result.baseline:
        yield QualityRow(name="before the cut", quality=result.baseline)
    if result.unrecovered:
        yield QualityRow(name="right after the cut", quality=result.unrecovered)
    for recovery in result.recoveries:
        if recovery.after:
            yield QualityRow(
                name=f"after {recovery.name}", quality=recovery.after, note=recovery.note
            )
    if result.quality:
        note = "measured after loading it again"
        yield QualityRow(name="of the saved file", quality=result.quality, note=note)


def strategy_text(strategy: Strategy) -> str:
    """Settings of a strategy, by their names, that are not the defaults."""
    document = strategy.model_dump(mode="json", exclude={"importance", "rationale"})
    defaults = Strategy().model_dump(mode="json")
    chosen = {name: value for name, value in document.items() if value != defaults[name]}
    return ", ".join((strategy.importance, *(_setting(*each) for each in chosen.items())))


def _setting(name: str, value: object) -> str:
    match value:
        case True:
            return name
        case dict():
            times = "x" if name == "pressure" else ""
            parts = (f"{where} {times}{number:g}" for where, number in value.items())
            return f"{name} {' '.join(parts)}"
        case list():
            return f"{name} {' '.join(value)}"
        case _:
            return f"{name} {value}"


def gap_text(result: ResultRecord) -> str:
    """How close the plan's value is to what no plan can exceed."""
    if result.bound is None:
        return "no bound could be proven"
    gap = max(0.0, result.bound - result.value)
    return f"at most {percent(gap, 3)} short of the best possible"

"""The documents of a run directory, as typed values; pydantic, since they come back from disk."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ap_core.budget import Budget, Cap
from ap_core.errors import UsageError
from ap_core.network import Metric
from ap_core.runs.schema import SCHEMA

DRIVEN = "drive"
"""Strategist of a run whose proposals come from outside, one by one."""


class Record(BaseModel):
    """Frozen, strict about its keys; a number that is not finite stays so, to be refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    @classmethod
    def parse(cls, fields: Mapping[str, object], *, inside: str = "") -> Self:
        """Record of these fields, which a user gave. Raises: UsageError naming the first wrong.

        inside: table that the user wrote them in; "" for none.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise wrong_option(error, inside=inside) from error


def wrong_option(error: ValidationError, *, inside: str = "") -> UsageError:
    """Error that names the first option that is wrong, or says which do not go together.

    inside: table that the user wrote it in; "" for none.
    """
    first = error.errors(include_url=False)[0]
    words = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return UsageError(f"in [{inside}]: {words}" if inside else words)
    place = ".".join(str(part) for part in (inside, *first["loc"]) if part != "")
    return UsageError(f"the option {place!r} is wrong: {words}")


class CapRecord(Record):
    """One cap of the budget."""

    metric: Literal["macs", "params", "latency"]
    limit: int


class BudgetRecord(Record):
    """What was asked for."""

    caps: tuple[CapRecord, ...]
    band: float

    @classmethod
    def of(cls, budget: Budget) -> Self:
        """Record of a budget."""
        caps = (CapRecord(metric=cap.metric.value, limit=cap.limit) for cap in budget.caps)
        return cls(caps=tuple(caps), band=budget.band)

    def to_budget(self) -> Budget:
        """Budget that this is the record of."""
        caps = (Cap(metric=Metric(cap.metric), limit=cap.limit) for cap in self.caps)
        return Budget(caps=tuple(caps), band=self.band)


class ArchitectureRecord(Record):
    """How to build the whole network again."""

    adapter: str
    name: str
    num_classes: int
    input_size: tuple[int, int, int]
    preprocessing: dict[str, object] = Field(default_factory=dict)


class WeightsRecord(Record):
    """Where the weights came from."""

    origin: str
    sha256: str
    checkpoint: str = ""
    warnings: tuple[str, ...] = ()


class SurgeryRecord(Record):
    """What the cut changed besides tensors."""

    attributes: dict[str, dict[str, int | float | list[int]]]
    replaced: dict[str, str] = Field(default_factory=dict)


class QualityRecord(Record):
    """What the accuracy meter found on held-out images."""

    images: int
    loss: float
    top1: Annotated[float, Field(ge=0, le=1)]
    top5: Annotated[float, Field(ge=0, le=1)]


class RecoveryRecord(Record):
    """One recovery, with what it changed."""

    name: str
    note: str
    before: QualityRecord | None
    after: QualityRecord | None


class EpochRecord(Record):
    """One epoch of training: its mean loss, and what the selection split says afterwards.

    learning_rate: at its end. speed: images in a second. seconds: of training alone.
    """

    epoch: int
    loss: float
    learning_rate: float
    selection_loss: float
    selection_top1: float
    seconds: float
    speed: float


class TrainingRecord(Record):
    """finetune/training.json: how a pruned network was trained again, and what came of it.

    teacher: network that was learnt from: its name, the directory of a run; "" for none.
    processes: that it was begun with. resumed: how many took it up again, where that was another
    number.
    seen: why the run may have seen images that it reports on; "" where it has not.
    best: the best of `history`, counted from 0, as `EpochRecord.epoch` is.
    selection_before: of the pruned network, on the split that chooses the best epoch.
    baseline, before, after: of the uncut network, the pruned one and the trained one, on the report
    split; the last was measured on the network reloaded from disk.
    skipped: images that could not be read and were left out.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    status: Literal["running", "done", "failed"]
    version: str
    created: str
    command: tuple[str, ...]
    options: dict[str, object]
    data: dict[str, object]
    teacher: str
    processes: int
    resumed: tuple[int, ...] = ()
    seen: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    history: tuple[EpochRecord, ...] = ()
    best: int | None = None
    skipped: tuple[str, ...] = ()
    selection_before: QualityRecord | None = None
    baseline: QualityRecord | None = None
    before: QualityRecord | None = None
    after: QualityRecord | None = None
    failure: str = ""

    @property
    def chosen(self) -> EpochRecord | None:
        """The best epoch; None before the first."""
        return None if self.best is None else self.history[self.best]

    @property
    def worse(self) -> bool:
        """Whether even the best epoch's held-out loss is above that before the training."""
        best, before = self.chosen, self.selection_before
        return best is not None and before is not None and best.selection_loss > before.loss


class DecisionRecord(Record):
    """A line of decisions.jsonl: what was decided before a trial of this number, and why."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    trial: int
    move: str
    reason: str


class SensitivityRecord(Record):
    """sensitivity.json: held-out loss of the uncut network, and of it with one thing removed.

    scopes: by scope, where half of its channels go. blocks: by block, where it is dropped.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    uncut: float
    scopes: dict[str, float]
    blocks: dict[str, float] = Field(default_factory=dict)


class Guide(StrEnum):
    """What stands for the latency when a plan is solved for: a fit, or MACs in its place, or the
    fit for what is added to a plan that was timed.
    """

    FIT = "fit"
    MACS = "macs"
    FILL = "fill"


class TimedPlanRecord(Record):
    """A line of latencies.jsonl: a plan that was solved for, cut and timed.

    strategy: digest of the strategy that it is of. factor: what its guide was multiplied by when it
    was solved for. plan: its digest. predicted, took: femtoseconds.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    strategy: str
    guide: Guide = Guide.FIT
    factor: float
    plan: str
    predicted: int
    took: int


class LlmRecord(Record):
    """The LLM of a search, and what asking it took: calls, tokens, seconds waited."""

    llm: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    seconds: float


class LatencyRecord(Record):
    """How long one forward pass takes, the whole network measured beside the cut one.

    backend, device, precision, batch_size, threads, memory_format: as they were asked for.
    machine: what it was measured on, and with which versions; by name.
    base_seconds, seconds: of the whole network, and of the cut one as reloaded from disk.
    faster, low, high: how many times faster it is, and the 95 % interval of that.
    measured: how many cuts were measured on the way to this one.
    """

    backend: str
    device: str
    precision: str
    batch_size: int
    threads: int | None
    memory_format: str
    machine: dict[str, str]
    base_seconds: float
    seconds: float
    faster: float
    low: float
    high: float
    measured: int


class ResultRecord(Record):
    """What came out; every figure was measured on the network reloaded from disk.

    macs, params: predicted by the cost model, equal to what the counter found after the reload.
    counters: MACs by other counters, by their names (torch-pruning's, for the literature).
    difference: largest relative difference between the cut and the masked whole network.
    dropped: names of the blocks that went whole.
    latency: None where no latency was asked for.
    seconds: by stage.
    """

    macs: int
    params: int
    base_macs: int
    base_params: int
    counters: dict[str, int] = Field(default_factory=dict)
    base_counters: dict[str, int] = Field(default_factory=dict)
    strategist: str
    importance: str
    trials: int
    best_trial: int
    value: float
    bound: float | None
    difference: float
    dropped: tuple[str, ...] = ()
    baseline: QualityRecord | None = None
    quality: QualityRecord | None = None
    recoveries: tuple[RecoveryRecord, ...] = ()
    latency: LatencyRecord | None = None
    llm: LlmRecord | None = None
    seconds: dict[str, float] = Field(default_factory=dict)

    @property
    def unrecovered(self) -> QualityRecord | None:
        """Accuracy right after the cut; None where nothing recovered any."""
        return self.recoveries[0].before if self.recoveries else None


class RunRecord(Record):
    """run.json.

    finetuned: what the network came to when it was trained again: those weights are the run's then.
    timed_on: what latencies were measured on, besides the stack; empty where none were.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    status: Literal["running", "done", "failed"]
    version: str
    created: str
    command: tuple[str, ...]
    options: dict[str, object]
    model: str
    architecture: ArchitectureRecord
    weights: WeightsRecord
    budget: BudgetRecord
    seed: int
    data: dict[str, object] | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    timed_on: dict[str, str] = Field(default_factory=dict)
    surgery: SurgeryRecord | None = None
    result: ResultRecord | None = None
    finetuned: QualityRecord | None = None
    failure: str = ""

    @property
    def driven(self) -> bool:
        """Whether its proposals come from outside, one by one."""
        return self.options.get("strategist") == DRIVEN

    @property
    def quality(self) -> QualityRecord | None:
        """Accuracy of the network that the run gives; None where there were no images."""
        return self.finetuned or (self.result.quality if self.result else None)

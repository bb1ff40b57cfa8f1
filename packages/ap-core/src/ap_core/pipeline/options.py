"""What the user asks `prune` for, in one value that the run keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ap_core.budget import DEFAULT_BAND, parse_tolerance
from ap_core.contracts import Stack, WeightsPolicy
from ap_core.errors import UsageError
from ap_core.input_size import parse_input_size
from ap_core.runs.records import Record
from ap_core.strategy import Strategy


class PruneOptions(Record):
    """Everything that a plan depends on, besides the weights and the data themselves.

    input_size: (channels, height, width), or as it is typed: 224, "1,28,28".
    model: as typed; of a live network, its class's name.
    target_macs, target_params, target_latency: texts such as "8.48", "850M", "50%", "4ms"; "" where
        not capped.
    stack: what latencies are measured on; None where none are.
    multiples: whether the multiple of widths that the stack rewards is measured; with a latency
        target, it is unless the strategy names one.
    raw: "" where the solver keeps to the budget; else a tolerance ("paper", "+1/-5"): strategies
        are applied as they are, and the search has to find the budget by itself.
    importance: None for the default: Taylor with data, L2 without.
    data: name of a data set, or a folder of images; "" for none.
    data_root: where a named data set lies, or is downloaded to; None for the user's cache.
    calibration_batches: how many batches of `batch_size` images score the channels.
    recoveries: None for all that apply.
    strategist: "" for the solver, or the agents where there is an LLM; "drive" where proposals
        come from outside, one by one (`ap drive`).
    search_seconds: after which no trial is begun any more; None for no limit. With it, two searches
        may end with different trials.
    llm: "BACKEND:MODEL@URL", the last two optional; "auto", "none".
    llm_max_calls, llm_max_tokens: of a whole search, tokens of prompts and replies together.
    """

    model: str
    num_classes: int | None = Field(default=None, ge=1)
    input_size: tuple[int, int, int] | None = None
    weights: WeightsPolicy = WeightsPolicy.AUTO
    checkpoint: Path | None = None
    target_macs: str = ""
    target_params: str = ""
    target_latency: str = ""
    stack: Stack | None = None
    multiples: bool = False
    band: Annotated[float, Field(gt=0.0, lt=1.0)] = DEFAULT_BAND
    raw: str = ""
    importance: str | None = None
    strategy: Strategy = Strategy()
    strategist: str = ""
    trials: int | None = Field(default=None, ge=1)
    search_seconds: float | None = Field(default=None, gt=0)
    llm: str = "none"
    llm_timeout: float = Field(default=120.0, gt=0, le=3600)
    llm_max_calls: int | None = Field(default=None, ge=1)
    llm_max_tokens: int | None = Field(default=None, ge=1)
    llm_temperature: float | None = Field(default=None, ge=0, le=2)
    data: str = ""
    data_root: Path | None = None
    batch_size: int = Field(default=32, ge=1)
    calibration_batches: int = Field(default=8, ge=1)
    held_out: int | None = Field(default=None, ge=1)
    on_corrupt: Literal["refuse", "skip"] = "refuse"
    recoveries: tuple[str, ...] | None = None
    seed: int = Field(default=0, ge=0)

    @field_validator("input_size", mode="before")
    @classmethod
    def _typed_size(cls, size: object) -> object:
        """Take a size as it is typed on the command line, too."""
        return parse_input_size(str(size)) if isinstance(size, int | str) else size

    @field_validator("raw")
    @classmethod
    def _known_tolerance(cls, raw: str) -> str:
        """Refuse, before any work, a tolerance that makes no sense. Raises: UsageError."""
        if raw:
            parse_tolerance(raw)
        return raw

    @model_validator(mode="before")
    @classmethod
    def _stack_to_time_on(cls, fields: Mapping[str, object]) -> Mapping[str, object]:
        """Fill in the default stack where something is to be timed."""
        timed = bool(fields.get("target_latency") or fields.get("multiples"))
        return {**fields, "stack": fields.get("stack") or Stack()} if timed else fields

    @model_validator(mode="after")
    def _no_stack_for_nothing(self) -> Self:
        """Refuse a stack where nothing is to be timed. Raises: UsageError."""
        if self.stack is not None and not (self.target_latency or self.multiples):
            raise UsageError(
                "a stack does nothing without a target latency or multiples that are measured",
                hint="leave it out, or say how long a pass may take",
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _one_importance(cls, fields: Mapping[str, object]) -> Mapping[str, object]:
        """Take the importance that a strategy names, where none is named beside it."""
        strategy = fields.get("strategy")
        named = strategy.model_dump(exclude_unset=True) if isinstance(strategy, Strategy) else {}
        return {**fields, "importance": fields.get("importance") or named.get("importance")}

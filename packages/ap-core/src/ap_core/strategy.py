"""A strategy: how to spend the budget. Small, comes from outside, is checked here."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Pressure = Annotated[float, Field(ge=0.1, le=10.0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)]


class Ranking(StrEnum):
    """Which channels are ranked against each other."""

    ISOMORPHIC = "isomorphic"
    GLOBAL = "global"
    UNIFORM = "uniform"


class Reduction(StrEnum):
    """How the scores of a group's layers become one."""

    MEAN = "mean"
    SUM = "sum"
    MAX = "max"
    PRODUCT = "product"


class Normalisation(StrEnum):
    """What a group's scores are divided by before they are ranked against other groups'."""

    NONE = "none"
    MEAN = "mean"
    MAX = "max"
    SUM = "sum"
    GAUSSIAN = "gaussian"


class Strategy(BaseModel):
    """How to spend the budget; the solver projects it onto the budget, so any is feasible.

    Keys of `pressure`, `floors`, `widths` are globs over scopes, stages, kinds and names of groups
    and layers; of several that match, the last one wins. `drop` has globs over scopes, stages and
    names of blocks, `keep` over both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    importance: str = Field(default="l2", description="criterion that scores the channels")
    reduction: Reduction | None = Field(
        default=None,
        description="how the scores of a group's layers become one; none: what suits the "
        "importance",
    )
    normalisation: Normalisation | None = Field(
        default=None,
        description="what a group's scores are divided by; none: what suits the importance",
    )
    ranking: Ranking | None = Field(
        default=None,
        description="which groups compete: those of one structure, all, or none; none: what suits "
        "the importance",
    )
    smoothing: Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="how much each further channel of a group costs, whatever its score: 0 trusts "
        "the scores alone, large values cut every group alike; none: what suits the importance",
    )
    pressure: dict[str, Pressure] = Field(
        default_factory=dict, description="above 1: cut more here; below 1: less"
    )
    floor: Share = Field(default=0.15, description="share of its channels every group keeps")
    floors: dict[str, Share] = Field(
        default_factory=dict, description="the same for some groups only"
    )
    widths: dict[str, Share] = Field(
        default_factory=dict, description="share of channels that is fixed, not solved for"
    )
    keep: tuple[str, ...] = Field(default=(), description="what must keep all its channels")
    drop: tuple[str, ...] = Field(default=(), description="blocks that are dropped whole")
    depth: bool = Field(
        default=False,
        description="whether more blocks may be dropped whole, where they are worth less than they "
        "cost",
    )
    round_to: int | None = Field(
        default=None,
        ge=1,
        le=512,
        description="multiple of widths; none: 8 from a width of 64, 4 from 32, 2 from 16, less if "
        "need be",
    )
    grain: int = Field(
        default=8,
        ge=1,
        le=512,
        description="what 8 stands for where round_to is none: multiple of widths from eight times "
        "as many channels on, half of it for half as many, and so on",
    )
    rationale: str = Field(default="", max_length=2000, description="why; decides nothing")

"""What the user may say of a run's images, and of networks beside its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from ap_core.runs.records import Record

NOBODY = "none"
"""What stands for no network where the name of one is asked for."""


class ImageOptions(Record):
    """Which images. None stands for what the run was pruned with."""

    data: str | None = None
    data_root: Path | None = None
    held_out: int | None = Field(default=None, ge=1)
    on_corrupt: Literal["refuse", "skip"] | None = None

    @classmethod
    def within(cls, options: Mapping[str, object]) -> Self:
        """Those among the options of a training."""
        return cls.model_validate({n: v for n, v in options.items() if n in cls.model_fields})

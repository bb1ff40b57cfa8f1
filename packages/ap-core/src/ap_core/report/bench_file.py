"""Latencies as `ap bench --json` prints them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ap_core.errors import UsageError
from ap_core.runs.schema import SCHEMA

HINT = "write one with: ap bench RUN... --json > FILE"

Positive = Annotated[float, Field(gt=0)]


class _Document(BaseModel):
    """What is read of a document; what else is in it is left alone."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Measured(_Document):
    """One network under one combination of settings. median: seconds of a pass.

    ratio, ratio_interval: how many times faster than the first of its combination it is; of the
    first itself there is no interval.
    """

    name: str
    macs: int | None
    params: int | None
    input_size: tuple[int, int, int]
    device: str
    dtype: str
    batch_size: int
    threads: int | None
    memory_format: str
    backend: str
    median: Positive
    ratio: Positive
    ratio_interval: tuple[Positive, Positive] | None

    def is_of(self, run: Path) -> bool:
        """Whether this is the network of a run."""
        return Path(self.name).resolve() == run.resolve()


class _Numbered(_Document):
    schema_: int = Field(alias="schema")


class _Printed(_Numbered):
    environment: dict[str, str]
    results: tuple[Measured, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class BenchFile:
    """All that was measured. groups: for every combination of settings, the networks in order.

    machine: versions, processor and accelerators, by name.
    """

    path: Path
    machine: dict[str, str]
    groups: tuple[tuple[Measured, ...], ...]

    @classmethod
    def read(cls, path: Path, *, runs: Collection[Path]) -> Self:
        """Document that a file holds.

        runs: of which one at least must be in it. Raises: UsageError.
        """
        printed = _parse(path)
        if not any(each.is_of(run) for each in printed.results for run in runs):
            names = ", ".join(dict.fromkeys(each.name for each in printed.results))
            raise UsageError(
                f"{path} has the latency of none of these runs, but of {names}",
                hint="runs go by the paths that 'ap bench' was given: be in the same directory",
            )
        groups = tuple(map(tuple, _split(printed.results)))
        return cls(path=path, machine=printed.environment, groups=groups)


def _parse(path: Path) -> _Printed:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot read {path}: {reason}", hint=HINT) from error
    try:
        schema = _Numbered.model_validate_json(content).schema_
        if schema != SCHEMA:
            raise UsageError(
                f"{path} has schema {schema}; this version of ap reads {SCHEMA}",
                hint="measure again, with this version",
            )
        return _Printed.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        words = f"{place}: {first['msg']}" if place else first["msg"]
        raise UsageError(
            f"{path} is not what 'ap bench --json' prints: {words}", hint=HINT
        ) from error


def _split(results: Sequence[Measured]) -> list[list[Measured]]:
    """Results by combination of settings: each begins with the one that the others are over."""
    groups: list[list[Measured]] = []
    for each in results:
        if each.ratio_interval is None or not groups:
            groups.append([])
        groups[-1].append(each)
    return groups

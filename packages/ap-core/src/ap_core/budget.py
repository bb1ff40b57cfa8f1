"""Budgets: which metric, the limit, and how far below it a plan may end."""

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from ap_core.errors import OutOfReachError, UsageError
from ap_core.network import Metric
from ap_core.report.amounts import amount as scaled
from ap_core.report.amounts import time_taken

DEFAULT_BAND = 0.005

COUNTS = {"K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
TIMES = {"FS": 1, "PS": 10**3, "NS": 10**6, "US": 10**9, "MS": 10**12, "S": 10**15}
UNITS = {Metric.MACS: COUNTS, Metric.PARAMS: COUNTS, Metric.LATENCY: TIMES}
"""Suffixes of amounts; latencies are kept in femtoseconds."""

OWN_UNIT = {Metric.MACS: 10**9, Metric.PARAMS: 10**6, Metric.LATENCY: 10**12}
"""What "8.48" means without a suffix: MACs are counted in billions, parameters in millions, and
latencies in milliseconds.
"""

LARGEST_PLAIN = 10**6
"""Numbers from here upwards are written out: "850000000" is 850 M, not 850 million G."""

NAMES = {Metric.MACS: "MACs", Metric.PARAMS: "parameters", Metric.LATENCY: "latency"}
UNIT_NAMES = {**NAMES, Metric.LATENCY: "femtoseconds"}

EXAMPLES = {
    Metric.MACS: '"8.48G", "850M" or "50%"',
    Metric.PARAMS: '"12M", "850K" or "50%"',
    Metric.LATENCY: '"4ms", "850us" or "50%"',
}

_AMOUNT = re.compile(r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([a-z]*|%)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Cap:
    """An upper limit on one metric, as an integer of MACs, parameters, or femtoseconds."""

    metric: Metric
    limit: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Caps that all hold at once; the tightest is met to within its band (a share) below it.

    band: of counts. A latency goes in steps, which a plan may have to stay far below.
    """

    caps: tuple[Cap, ...]
    band: float = DEFAULT_BAND

    def band_of(self, metric: Metric) -> float:
        """Share of its cap that a plan may leave where that is the tightest; of a latency, all."""
        return 1.0 if metric is Metric.LATENCY else self.band


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far above and below a target counts as met where nothing keeps to it: shares of it."""

    above: float
    below: float

    def missed(self, limit: int, cost: int) -> float:
        """How far a cost is outside, as a share of the limit; 0 where it is within."""
        apart = cost / limit - 1
        return max(0.0, apart - self.above, -self.below - apart)

    def __str__(self) -> str:
        return f"+{100 * self.above:g}/-{100 * self.below:g} %"


TOLERANCES = {
    "paper": Tolerance(above=0.01, below=0.05),
    "paper-vit": Tolerance(above=0.05, below=0.15),
}
"""Of AgenticPruner, arXiv:2601.12272: for CNNs, and the widest for vision transformers."""


def parse_tolerance(text: str) -> Tolerance:
    """Tolerance of a preset's name, or of a text in per cent: "+1/-5". Raises: UsageError."""
    if text in TOLERANCES:
        return TOLERANCES[text]
    match = re.fullmatch(r"\+([0-9.]+)/-([0-9.]+)", text.strip())
    if not match or any(each.count(".") > 1 or each == "." for each in match.groups()):
        names = ", ".join(TOLERANCES)
        raise UsageError(f"the tolerance {text!r} makes no sense", hint=f'write {names} or "+1/-5"')
    above, below = (float(each) / 100 for each in match.groups())
    return Tolerance(above=above, below=below)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A cap as the user typed it: an amount, or a share of the whole network.

    bare: the number, where it was typed without a unit.
    """

    metric: Metric
    amount: int | None = None
    share: float | None = None
    bare: float | None = field(default=None, compare=False)

    def cap(self, whole: int) -> Cap:
        """Cap for a network that costs `whole`. Raises: OutOfReachError where it is not below."""
        limit = self.amount if self.share is None else int(self.share * whole)
        if limit is None or limit >= whole:
            raise OutOfReachError(
                f"a target of {format_amount(limit or 0, self.metric)} is not below the network's "
                f"{format_amount(whole, self.metric)}",
                hint=self._smaller(),
            )
        return Cap(metric=self.metric, limit=limit)

    def _smaller(self) -> str:
        if self.bare is not None and self.bare < 1:
            unit = {Metric.MACS: "G", Metric.PARAMS: "M", Metric.LATENCY: "ms"}[self.metric]
            share = f"{100 * self.bare:g}%"
            return f"a number without a unit is in {unit}; for a share, write {share}"
        return "give a smaller target; 'ap profile' shows what the network costs"


def parse_targets(text: str, metric: Metric) -> tuple[Target, ...]:
    """Targets of a comma-separated list: "8.48", "8.48G", "850M", "1.2e9", "50%", "4ms".

    A bare number below a million is in the metric's own unit: G for MACs, M for parameters; of a
    latency, it is always milliseconds.
    Raises: UsageError.
    """
    return tuple(_parse(part.strip(), metric) for part in text.split(","))


def format_amount(
    amount: int, metric: Metric, towards: Literal["nearest", "up", "down"] = "nearest"
) -> str:
    """Amount as tables show it, with its unit: "8.480 G MACs", "4.105 ms"; it can be typed."""
    if metric is Metric.LATENCY:
        return time_taken(amount, towards)
    number = f"{amount / 1000:g} k" if amount < 1000 else scaled(amount, towards)
    return f"{number} {NAMES[metric]}"


def _parse(text: str, metric: Metric) -> Target:
    match = _AMOUNT.fullmatch(text)
    if not match or match[2].upper() not in ("", "%", *UNITS[metric]):
        raise _refused(text, metric, "is not an amount", f"write it like {EXAMPLES[metric]}")
    number, suffix = float(match[1]), match[2].upper()
    if not isfinite(number) or number <= 0:
        raise _refused(text, metric, "is not above zero", f"write it like {EXAMPLES[metric]}")
    if suffix == "%":
        if number >= 100:
            why = "is not below the whole network"
            raise _refused(text, metric, why, 'give a share below 100%, such as "50%"')
        return Target(metric=metric, share=number / 100)
    amount = round(number * _unit(number, suffix, metric))
    if amount < 1:
        raise _refused(text, metric, "is less than one", f"write it like {EXAMPLES[metric]}")
    return Target(metric=metric, amount=amount, bare=None if suffix else number)


def _unit(number: float, suffix: str, metric: Metric) -> int:
    if suffix:
        return UNITS[metric][suffix]
    written_out = number >= LARGEST_PLAIN and metric is not Metric.LATENCY
    return 1 if written_out else OWN_UNIT[metric]


def _refused(text: str, metric: Metric, why: str, hint: str) -> UsageError:
    return UsageError(f"the target {text!r} for {NAMES[metric]} {why}", hint=hint)

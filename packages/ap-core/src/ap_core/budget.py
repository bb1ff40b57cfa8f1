"""Budgets: which metric, the limit, and how far below it a plan may end."""

from dataclasses import dataclass

from ap_core.network import Metric

DEFAULT_BAND = 0.005


@dataclass(frozen=True, kw_only=True)
class Cap:
    """An upper limit on one metric, as an integer of MACs or parameters."""

    metric: Metric
    limit: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Caps that all hold at once; the tightest is met to within `band` (a share) below it."""

    caps: tuple[Cap, ...]
    band: float = DEFAULT_BAND

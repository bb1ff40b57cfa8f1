"""The solver: turns strategy, scores, cost model and budget into a plan. Always lands in the band."""

from ap_core.solver.solve import reach, solve
from ap_core.solver.values import retained_value

__all__ = ["reach", "retained_value", "solve"]

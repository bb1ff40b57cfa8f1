"""The solver: strategy, scores, cost model and budget in, a plan in the band out."""

from ap_core.solver.raw import raw_plan
from ap_core.solver.reach import check_reach, reach
from ap_core.solver.solve import solve
from ap_core.solver.values import retained_value

__all__ = ["check_reach", "raw_plan", "reach", "retained_value", "solve"]

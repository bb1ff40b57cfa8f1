"""Conformance checks: what the contracts demand, run alike over our own offers and third parties'.

Each check raises AssertionError with what is wrong. Those that need tensors need torch.
"""

from ap_core.testing.backends import check_llm_backend
from ap_core.testing.commands import check_command
from ap_core.testing.datasets import check_dataset
from ap_core.testing.exporters import check_exporter
from ap_core.testing.importances import check_importance
from ap_core.testing.meters import check_meter
from ap_core.testing.models import check_model_adapter
from ap_core.testing.recoveries import check_recovery
from ap_core.testing.strategists import check_strategist
from ap_core.testing.timers import check_timer

__all__ = [
    "check_command",
    "check_dataset",
    "check_exporter",
    "check_importance",
    "check_llm_backend",
    "check_meter",
    "check_model_adapter",
    "check_recovery",
    "check_strategist",
    "check_timer",
]

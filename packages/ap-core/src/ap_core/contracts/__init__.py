"""What plugins make: the protocols through which the packages meet.

torch appears in annotations only; nothing here imports it.
"""

from typing import TYPE_CHECKING

from ap_core.contracts.exporting import Exporter, ExportRequest, Precision
from ap_core.contracts.images import DataRequest, DataSource, ImageSet, Split, TrainingSource
from ap_core.contracts.importances import Importance, LayerSlice
from ap_core.contracts.measures import Meter, Recovery
from ap_core.contracts.models import (
    Architecture,
    LoadedModel,
    ModelAdapter,
    ModelRequest,
    Surgery,
    Tracing,
    WeightsOrigin,
    WeightsPolicy,
)
from ap_core.contracts.proposals import Desk, LlmBackend, LlmReply, LlmSettings, Strategist
from ap_core.contracts.timing import Pair, Stack, Timer

if TYPE_CHECKING:
    from ap_core.contracts.images import ImageBatch as ImageBatch

__all__ = [
    "Architecture",
    "DataRequest",
    "DataSource",
    "Desk",
    "ExportRequest",
    "Exporter",
    "ImageSet",
    "Importance",
    "LayerSlice",
    "LlmBackend",
    "LlmReply",
    "LlmSettings",
    "LoadedModel",
    "Meter",
    "ModelAdapter",
    "ModelRequest",
    "Pair",
    "Precision",
    "Recovery",
    "Split",
    "Stack",
    "Strategist",
    "Surgery",
    "Timer",
    "Tracing",
    "TrainingSource",
    "WeightsOrigin",
    "WeightsPolicy",
]

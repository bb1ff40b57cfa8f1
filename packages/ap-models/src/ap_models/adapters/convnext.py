"""ConvNeXt of timm and torchvision."""

from typing import ClassVar

from ap_models.adapters.base import DependencyGraphAdapter


class ConvNeXtAdapter(DependencyGraphAdapter):
    """ConvNeXt: residual widths and hidden widths."""

    name: ClassVar[str] = "convnext"
    modules: ClassVar[frozenset[str]] = frozenset(
        {"timm.models.convnext", "torchvision.models.convnext"}
    )

"""ConvNeXt of timm and torchvision."""

from collections.abc import Iterable
from typing import ClassVar

from torch.nn import Module

from ap_models.adapters.base import DependencyGraphAdapter
from ap_models.branches import Branch, convnext_blocks


class ConvNeXtAdapter(DependencyGraphAdapter):
    """ConvNeXt: residual widths, hidden widths, and blocks."""

    name: ClassVar[str] = "convnext"
    modules: ClassVar[frozenset[str]] = frozenset(
        {"timm.models.convnext", "torchvision.models.convnext"}
    )

    def branches(self, module: Module) -> Iterable[Branch]:
        """Residual branches that can be dropped whole."""
        return convnext_blocks(module)

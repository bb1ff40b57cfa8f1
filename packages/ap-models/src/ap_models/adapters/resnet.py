"""ResNet of timm and torchvision."""

from collections.abc import Iterable
from typing import ClassVar

from torch.nn import Module

from ap_models.adapters.base import DependencyGraphAdapter
from ap_models.branches import Branch, residual_blocks


class ResNetAdapter(DependencyGraphAdapter):
    """ResNet: residual widths, hidden widths, and blocks."""

    name: ClassVar[str] = "resnet"
    modules: ClassVar[frozenset[str]] = frozenset(
        {"timm.models.resnet", "torchvision.models.resnet"}
    )

    def branches(self, module: Module) -> Iterable[Branch]:
        """Residual branches that can be dropped whole."""
        return residual_blocks(module)

"""ResNet of timm and torchvision."""

from typing import ClassVar

from ap_models.adapters.base import DependencyGraphAdapter


class ResNetAdapter(DependencyGraphAdapter):
    """ResNet: residual widths and hidden widths."""

    name: ClassVar[str] = "resnet"
    modules: ClassVar[frozenset[str]] = frozenset(
        {"timm.models.resnet", "torchvision.models.resnet"}
    )

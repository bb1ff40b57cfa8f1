"""Vision transformers, DeiT among them, of timm and torchvision."""

from typing import ClassVar

from ap_models.adapters.base import DependencyGraphAdapter


class VisionTransformerAdapter(DependencyGraphAdapter):
    """Vision transformer: the residual stream, MLP widths, heads and head size."""

    name: ClassVar[str] = "vit"
    modules: ClassVar[frozenset[str]] = frozenset(
        {
            "timm.models.deit",
            "timm.models.vision_transformer",
            "torchvision.models.vision_transformer",
        }
    )

"""Vision transformers, DeiT among them, of timm and torchvision."""

from collections.abc import Iterable
from typing import ClassVar

from torch.nn import Module

from ap_models.adapters.base import DependencyGraphAdapter
from ap_models.branches import Branch, transformer_branches


class VisionTransformerAdapter(DependencyGraphAdapter):
    """Vision transformer: the residual stream, MLP widths, heads and head size; whole
    attentions and MLPs."""

    name: ClassVar[str] = "vit"
    modules: ClassVar[frozenset[str]] = frozenset(
        {
            "timm.models.deit",
            "timm.models.vision_transformer",
            "torchvision.models.vision_transformer",
        }
    )

    def branches(self, module: Module) -> Iterable[Branch]:
        """Residual branches that can be dropped whole."""
        return transformer_branches(module)

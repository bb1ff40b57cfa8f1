"""Any network that the dependency graph can trace: the rest of the zoo, and the user's own."""

from collections.abc import Iterable
from typing import ClassVar

from torch.nn import Module

from ap_core.contracts import Architecture
from ap_models.adapters.base import DependencyGraphAdapter
from ap_models.loading import zoo
from ap_models.loading.factories import build_from_factory, is_factory
from ap_models.tracing.rehearsal import rehearse
from ap_models.tracing.trace import DependencyTracing


class GenericAdapter(DependencyGraphAdapter):
    """Networks of no known family. What the trace cannot follow keeps its channels."""

    name: ClassVar[str] = "generic"

    def names(self) -> Iterable[str]:
        """All names of timm and torchvision; a user's own function is not listed."""
        return zoo.zoo_names()

    def resolve(self, name: str) -> str | None:
        """Canonical name of a network of the zoo, or the name of a user's own function."""
        return name if is_factory(name) else zoo.resolve(name)

    def build(
        self,
        name: str,
        *,
        num_classes: int | None = None,
        input_size: tuple[int, int, int] | None = None,
        pretrained: bool = False,
    ) -> Module:
        """Network of the zoo, or what the user's own function returns."""
        if is_factory(name):
            return build_from_factory(name, num_classes=num_classes, input_size=input_size)
        return super().build(
            name, num_classes=num_classes, input_size=input_size, pretrained=pretrained
        )

    def recognises(self, module: Module) -> bool:
        """Every network, as the last that is asked."""
        return isinstance(module, Module)

    def trace(self, module: Module, architecture: Architecture) -> DependencyTracing:
        """Groups and exact costs; a rehearsal locks the groups that the trace got wrong."""
        return rehearse(module, super().trace(module, architecture), self.cut)

"""What is particular to the family; tracing, cutting, saving and the rest are inherited."""

from collections.abc import Iterable

from torch import nn

from ap_core.errors import CheckpointError
from ap_models import DependencyGraphAdapter
from ap_plugin_example.network import ToyMixer

SIZES = {"toymixer/tiny": {"width": 32, "depth": 2}, "toymixer/small": {"width": 64, "depth": 4}}


class ToyMixerAdapter(DependencyGraphAdapter):
    """Makes and recognises toy mixers."""

    name = "toymixer"

    def names(self) -> Iterable[str]:
        """Names that `build` takes."""
        return tuple(SIZES)

    def resolve(self, name: str) -> str | None:
        """Canonical name of what the user typed; None where it is of another family."""
        return name if name in SIZES else None

    def recognises(self, module: nn.Module) -> bool:
        """Whether the network is a toy mixer."""
        return isinstance(module, ToyMixer)

    def build(
        self,
        name: str,
        *,
        num_classes: int | None = None,
        input_size: tuple[int, int, int] | None = None,
        pretrained: bool = False,
    ) -> nn.Module:
        """Network under its canonical name, on torch's current default device."""
        if pretrained:
            raise CheckpointError(f"no weights are published for {name}")
        channels, height, _ = input_size or (3, 32, 32)
        return ToyMixer(
            **SIZES[name],
            num_classes=num_classes or 10,
            in_channels=channels,
            image_size=height,
        )

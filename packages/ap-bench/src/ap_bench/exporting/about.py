"""What a file says of itself: all that is needed to run it without ap."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from ap_bench.exporting.networks import Source
from ap_core.plugins.registry import Registry
from ap_core.preprocessing import preprocessing_of

if TYPE_CHECKING:
    from ap_core.contracts import Precision


def about(registry: Registry, source: Source, precision: "Precision") -> dict[str, object]:
    """Model, weights, input size, preparation of images, classes, cost; JSON, by name.

    mean and std are those of pixels from 0 to 1. macs, params: counted on the very network.
    """
    architecture = source.architecture
    size = architecture.input_size
    return {
        "model": architecture.name,
        "weights": source.weights,
        "input_size": list(size),
        "num_classes": architecture.num_classes,
        **{key: _plain(value) for key, value in preprocessing_of(architecture).items()},
        "dtype": precision.value,
        "macs": _measured(registry, "macs", source),
        "params": _measured(registry, "params", source),
        "version": version("ap-core"),
    }


def _plain(value: object) -> object:
    """Same value as it comes back from JSON."""
    return list(value) if isinstance(value, tuple) else value


def _measured(registry: Registry, name: str, source: Source) -> int:
    meter = registry.meters[name].make()
    return int(meter(source.module, input_size=source.architecture.input_size, data=None)[name])

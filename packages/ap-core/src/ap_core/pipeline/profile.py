"""What a network is made of, and where its computation goes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ap_core.contracts import Architecture, ModelRequest
from ap_core.network import Network
from ap_core.pipeline.opening.subject import live_subject, skeleton_subject
from ap_core.pipeline.progress import Stopwatch
from ap_core.plugins.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A traced network.

    seconds: by stage.
    """

    network: Network
    architecture: Architecture
    seconds: dict[str, float]


def profile(
    model: "str | Module",
    *,
    num_classes: int | None = None,
    input_size: tuple[int, int, int] | None = None,
    registry: Registry | None = None,
) -> Profile:
    """Groups and exact costs of a network, traced without its weights.

    model: a name as `ap models` lists them, "package.module:factory", or a live network.
    input_size: (channels, height, width); None for the network's own.
    Raises: UnknownNameError, ModelError.
    """
    registry = registry or Registry.from_entry_points()
    watch = Stopwatch()
    with watch.stage("load"):
        if isinstance(model, str):
            request = ModelRequest(name=model, num_classes=num_classes, input_size=input_size)
            subject = skeleton_subject(registry, request)
        else:
            subject = live_subject(registry, model, input_size)
    with watch.stage("trace"):
        network = subject.adapter.trace(subject.loaded.module, subject.loaded.architecture).network
    return Profile(
        network=network,
        architecture=subject.loaded.architecture,
        seconds=watch.seconds,
    )

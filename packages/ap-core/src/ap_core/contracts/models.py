"""What makes networks, finds what can be cut, and cuts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch.nn import Module

    from ap_core.contracts.images import ImageBatch
    from ap_core.network import Network
    from ap_core.plan import Plan
    from ap_core.plugins.offers import ImportanceOffer
    from ap_core.scores import Scores
    from ap_core.strategy import Reduction


class WeightsPolicy(StrEnum):
    """Where weights come from when no checkpoint is given."""

    AUTO = "auto"
    PRETRAINED = "pretrained"
    RANDOM = "random"


class WeightsOrigin(StrEnum):
    """Where the weights that a network has did come from."""

    PRETRAINED = "pretrained"
    CHECKPOINT = "checkpoint"
    RANDOM = "random"
    LIVE = "live"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """What the user asked for.

    name: a timm name ("resnet50.tv_in1k"), "torchvision/NAME", an alias, "package.module:factory",
        or a name that a plugin lists.
    num_classes, input_size: None for the model's own. input_size is (channels, height, width).
    seed: for random weights.
    """

    name: str
    num_classes: int | None = None
    input_size: tuple[int, int, int] | None = None
    weights: WeightsPolicy = WeightsPolicy.AUTO
    checkpoint: Path | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How to build a network again, without weights; JSON in the run directory.

    name: resolved: what `build` of the adapter `adapter` takes.
    preprocessing: mean, std, interpolation, crop_pct of the model's own configuration.
    """

    adapter: str
    name: str
    num_classes: int
    input_size: tuple[int, int, int]
    preprocessing: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A network, how to build it again, and where its weights came from.

    weights_sha256: digest over all parameters and buffers, names included; "" where there are none.
    warnings: what the user must be told (random instead of pretrained weights, ...).
    """

    module: Module
    architecture: Architecture
    origin: WeightsOrigin
    weights_sha256: str = ""
    warnings: tuple[str, ...] = ()


class Tracing(Protocol):
    """What tracing found: the network, and whatever the adapter needs to cut it."""

    @property
    def network(self) -> Network:
        """Groups and costs."""


@dataclass(frozen=True, kw_only=True)
class Surgery:
    """What cutting changed besides tensors, enough to rebuild the network without tracing it.

    attributes: module path -> attribute -> new value (integers, floats, lists of integers).
    replaced: module path -> kind of the stand-in module that the adapter put there.
    """

    attributes: Mapping[str, Mapping[str, int | float | list[int]]]
    replaced: Mapping[str, str] = field(default_factory=dict)


class ModelAdapter(Protocol):
    """Knows a family of networks: makes them, finds what can be cut, and cuts it.

    `ap_models.DependencyGraphAdapter` implements all of it; a family adds what is particular.
    """

    def names(self) -> Iterable[str]:
        """Canonical names that `build` takes, for lists and suggestions."""

    def resolve(self, name: str) -> str | None:
        """Canonical name of what the user typed; None where this adapter cannot build it."""

    def build(
        self,
        name: str,
        *,
        num_classes: int | None = None,
        input_size: tuple[int, int, int] | None = None,
        pretrained: bool = False,
    ) -> Module:
        """Network under its canonical name, on torch's current default device (meta included).

        Raises: ModelError where it cannot be built, CheckpointError where weights cannot be had.
        """

    def load(self, request: ModelRequest) -> LoadedModel:
        """Network with weights, as asked for. Raises: ModelError, CheckpointError."""

    def skeleton(self, request: ModelRequest) -> LoadedModel:
        """Network on the meta device, without weights."""

    def recognises(self, module: Module) -> bool:
        """Whether this adapter knows the structure of the network."""

    def trace(self, module: Module, architecture: Architecture) -> Tracing:
        """Groups and costs; the module is neither changed nor run with its weights.

        Raises: ModelError naming the operator that the trace cannot follow.
        """

    def score(
        self,
        module: Module,
        tracing: Tracing,
        offer: ImportanceOffer,
        *,
        reduction: Reduction,
        batches: Sequence[ImageBatch],
        seed: int,
    ) -> Scores:
        """Score of every channel; leaves no gradients and no changed statistics behind.

        batches: calibration data, empty for importances that need none.
        """

    def cut(self, module: Module, tracing: Tracing, plan: Plan) -> Surgery:
        """Remove, in place, every channel that the plan does not keep."""

    def mask(self, module: Module, tracing: Tracing, plan: Plan) -> Module:
        """Whole-width copy that computes what the cut network will: removed channels are inert."""

    def difference(
        self, one: Module, other: Module, *, input_size: tuple[int, int, int], seed: int
    ) -> float:
        """Largest absolute difference of two networks' outputs on one random image, relative to
        the largest absolute output of the first.
        """

    def unlike(self, one: Module, other: Module) -> str:
        """First thing in which two networks of one making differ: a tensor, by as little as a bit,
        a module's class, or a setting of a module; empty where there is none.
        """

    def copy(self, module: Module) -> Module:
        """Deep copy, to cut and judge while the whole network stays."""

    def perturbed(self, module: Module, *, seed: int) -> Module:
        """Copy with noise wherever initialisation put zeros or ones: none of them hides an error.

        May share other tensors with the network: it is to be cut or masked, not trained.
        """

    def blank(self, module: Module) -> Module:
        """Twin on the meta device, which `restore` can turn into the cut network."""

    def describe(
        self, module: Module, *, name: str, input_size: tuple[int, int, int] | None = None
    ) -> Architecture:
        """How to build a network again, read off the network. name: canonical."""

    def digest(self, module: Module) -> str:
        """SHA-256 over names, types, shapes and bytes of all parameters and buffers."""

    def save(self, module: Module, path: Path) -> None:
        """Write parameters and buffers as safetensors, names sorted; same tensors, same bytes."""

    def restore(self, module: Module, surgery: Surgery, weights: Path) -> Module:
        """Turn the whole network (on the meta device) into the cut one, with these weights.

        Raises: CheckpointError where the file is damaged or does not fit.
        """

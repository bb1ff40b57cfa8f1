"""What plugins make: the protocols through which the packages meet.

torch appears in annotations only; nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Generator, Tensor
    from torch.nn import Module

    from ap_core.network import Network
    from ap_core.plan import Plan
    from ap_core.plugins.offers import ImportanceOffer
    from ap_core.scores import Scores
    from ap_core.search.trial import Evidence
    from ap_core.strategy import Reduction, Strategy

    Labels = NDArray[np.int64]

    ImageBatch = tuple[Tensor, Tensor]
    """Images (n, c, h, w) float32, labels (n,) int64."""


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


@dataclass(frozen=True, kw_only=True)
class LayerSlice:
    """What an importance sees of one layer of a group: its weights, channels first.

    role: "out" (its output channels are the group's), "in" (its input channels are), or "norm".
    weight: (channels, everything else), the layer's weight with the group's channels first.
    bias: (channels,) where the role is "out" or "norm" and the layer has one.
    gradient, bias_gradient: of the loss, same shapes; None where the importance needs no data.
    """

    layer: str
    kind: str
    role: str
    weight: Tensor
    bias: Tensor | None
    gradient: Tensor | None = None
    bias_gradient: Tensor | None = None


class Importance(Protocol):
    """A criterion: scores the channels of one layer of a group.

    With data it is called after the backward pass of every calibration batch, and the results are
    summed over batches; without, once. Results over the layers of a group are then reduced.
    """

    def __call__(self, part: LayerSlice, generator: Generator) -> Tensor | None:
        """Scores, shape (channels,), >= 0; None to leave this layer out."""


class Split(StrEnum):
    """What images are for; no image is in two."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    HELD_OUT = "held_out"
    REPORT = "report"


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """Which data, and how to prepare it.

    name: of the offer, or the whole name that one of its prefixes begins.
    root: the folder of images, or where the data set lies; None for the data set's own place.
    architecture: of the network; its preprocessing is how the images are prepared.
    calibration: how many images score the channels, at most half of those that are not set apart.
    held_out: how many judge trials, and as many again report; None for a share, and for all that
        the data set itself sets apart for reporting.
    on_corrupt: "skip" or "refuse".
    """

    name: str
    root: Path | None
    architecture: Architecture
    batch_size: int = 32
    calibration: int = 256
    held_out: int | None = None
    seed: int = 0
    on_corrupt: str = "refuse"


@runtime_checkable
class DataSource(Protocol):
    """Images for calibrating and for judging; the two are disjoint and drawn by seed."""

    @property
    def num_classes(self) -> int:
        """How many classes the labels name."""

    def calibration(self) -> Iterator[ImageBatch]:
        """Batches to score channels and to re-estimate statistics with, same order every time."""

    def held_out(self) -> Iterator[ImageBatch]:
        """Batches to judge a trial with, same order every time."""

    def report(self) -> Iterator[ImageBatch]:
        """Batches to report with, disjoint from both others: nothing is selected on them."""

    def record(self) -> Mapping[str, object]:
        """What the run keeps: name, root, sizes, seed, digests of the splits; under `skipped`, the
        list of images that could not be read and were left out.
        """


class ImageSet(Protocol):
    """Images of one split that can be had by their place in it: a map-style data set.

    sized: whether they come in the network's input size, to be neither resized nor cropped.
    mirrors: whether an image seen in a mirror still is of its class.
    """

    @property
    def sized(self) -> bool: ...
    @property
    def mirrors(self) -> bool: ...

    @property
    def labels(self) -> Labels:
        """Class of every image, (n,) int64."""

    def name(self, place: int) -> str:
        """What an image is called, for messages."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int) -> tuple[Image, int]:
        """Pillow image, as yet neither resized nor normalised, and its class.

        Raises: DataError where it cannot be read.
        """


@runtime_checkable
class TrainingSource(DataSource, Protocol):
    """A data source that can be trained on: it also gives images by their place.

    classes: names of the classes, in the order of their labels.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    def split(self, split: Split) -> ImageSet:
        """Images of one split."""


class Meter(Protocol):
    """Measures a network; every value is an int or a float under a fixed key."""

    def __call__(
        self, module: Module, *, input_size: tuple[int, int, int], data: DataSource | None
    ) -> Mapping[str, int | float]:
        """Measurements; the module is left as it was."""


class Recovery(Protocol):
    """Gives back accuracy that a cut took, without or with a little data."""

    def __call__(self, module: Module, data: DataSource) -> str:
        """Change the module in place; returns one line that says what was done.

        Returns "" where there is nothing to do for this network.
        """


class Desk(Protocol):
    """Where a strategist asks an LLM, and writes down what it decides.

    Allowances are kept, every exchange is on disk before it is answered, and what was asked before
    a kill is answered again without asking: the same requests must come from the same evidence.
    """

    def ask(self, role: str, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Reply of the LLM. role: who asks, for the transcript.

        Raises: LlmError where the service failed, or where no more may be asked.
        """

    def decide(self, trial: int, move: str, reason: str) -> None:
        """Keep a decision, made before the trial of this number."""


class Strategist(Protocol):
    """Proposes strategies, learning from the trials so far."""

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Next strategy to try; None where there is nothing left to try.

        Depends on the evidence alone, so that a search that was killed goes on as if it had not.
        """


@dataclass(frozen=True, kw_only=True)
class LlmSettings:
    """Which LLM to ask, and how.

    model: the service's name for it, or what else the backend is opened with ("replay:FILE"); ""
        for the offer's own.
    url: base URL of the service; "" for the backend's own.
    key: what the environment holds under the name that the offer gives; "" for none.
    timeout: seconds that one attempt of a call may take. retries: attempts after the first.
    max_tokens: of one reply. temperature, seed: None for the service's own.
    """

    model: str = ""
    url: str = ""
    key: str = field(default="", repr=False)
    timeout: float = 120.0
    retries: int = 2
    max_tokens: int = 4096
    temperature: float | None = None
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class LlmReply:
    """What an LLM answered, and what it took.

    text: may be empty, where the LLM said nothing.
    stop: why the text is not whole: "length", "refusal"; "" where it is.
    notes: what the user must be told: a setting that the service did not take, ...
    """

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    stop: str = ""
    notes: tuple[str, ...] = ()


class LlmBackend(Protocol):
    """Carries a prompt to an LLM and its answer back; knows nothing of pruning."""

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Answer as text; JSON for the schema where the service can. Raises: LlmError."""


class Exporter(Protocol):
    """Writes a network to a file that runs elsewhere."""

    def __call__(self, module: Module, *, input_size: tuple[int, int, int], path: Path) -> None:
        """Write the file; raises ModelError naming the operator that cannot be exported."""

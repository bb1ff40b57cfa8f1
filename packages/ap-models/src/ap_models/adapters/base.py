"""What all adapters share: everything, but the family's names and the places of its attributes."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import Module

from ap_core.contracts import Architecture, LoadedModel, ModelRequest, Surgery, WeightsOrigin
from ap_core.errors import ModelError
from ap_core.plan import Plan
from ap_models.attention import Attention, find_attentions
from ap_models.branches import Branch
from ap_models.loading import properties, weights, zoo
from ap_models.loading.digest import weights_digest
from ap_models.skeleton import meta_copy
from ap_models.surgery.compare import difference, unlike
from ap_models.surgery.cut import cut, set_attributes
from ap_models.surgery.mask import mask
from ap_models.surgery.store import restore, save
from ap_models.tracing.slices import STATISTICS
from ap_models.tracing.stages import stage_of
from ap_models.tracing.trace import DependencyTracing, trace

if TYPE_CHECKING:
    from ap_core.contracts import ImageBatch
    from ap_core.plugins.offers import ImportanceOffer
    from ap_core.scores import Scores
    from ap_core.strategy import Reduction

WIDTH_ATTRIBUTES = ("num_features", "head_hidden_size", "embed_dim", "hidden_dim", "in_features")
"""What timm's and torchvision's holders of layers call the width of their residual stream."""

SAMPLE = 64
"""Elements that tell whether a tensor was filled with one number."""


class DependencyGraphAdapter:
    """A `ModelAdapter` on torch-pruning's dependency graph.

    A family of timm or torchvision names the python modules that define its networks in `modules`.
    Any other family overrides `names`, `resolve`, `build` and `recognises`; and `attentions`,
    `branches` or `stage` where the general ones do not fit.
    """

    name: ClassVar[str] = ""
    modules: ClassVar[frozenset[str]] = frozenset()

    def names(self) -> Iterable[str]:
        """Names that `build` takes, for lists and suggestions."""
        return zoo.zoo_names(self.modules)

    def resolve(self, name: str) -> str | None:
        """Canonical name of what the user typed; None where this adapter cannot build it."""
        canonical = zoo.resolve(name)
        if canonical is None or zoo.family_module(canonical) not in self.modules:
            return None
        return canonical

    def build(
        self,
        name: str,
        *,
        num_classes: int | None = None,
        input_size: tuple[int, int, int] | None = None,
        pretrained: bool = False,
    ) -> Module:
        """Network under its canonical name, on torch's current default device."""
        return zoo.build(
            name, num_classes=num_classes, input_size=input_size, pretrained=pretrained
        )

    def recognises(self, module: Module) -> bool:
        """Whether the network's class, or one that it inherits from, is of the family."""
        return any(base.__module__ in self.modules for base in type(module).__mro__)

    def attentions(self, module: Module) -> Sequence[Attention]:
        """Self-attentions whose heads and head size can be cut."""
        return find_attentions(module)

    def branches(self, module: Module) -> Iterable[Branch]:  # noqa: ARG002
        """Residual branches that can be dropped whole: of a family that is not known, none."""
        return ()

    def stage(self, path: str) -> str:
        """Stage of the network that a layer belongs to."""
        return stage_of(path)

    def load(self, request: ModelRequest) -> LoadedModel:
        """Network with weights, as asked for. Raises: ModelError, CheckpointError."""
        name = self._resolved(request.name)
        weighted = weights.load(request, name, self.build)
        return LoadedModel(
            module=weighted.module.eval(),
            architecture=self._describe(weighted.module, name, request),
            origin=weighted.origin,
            weights_sha256=weighted.sha256,
            warnings=weighted.warnings,
        )

    def skeleton(self, request: ModelRequest) -> LoadedModel:
        """Network on the meta device, without weights."""
        name = self._resolved(request.name)
        with torch.device("meta"):
            module = self.build(
                name, num_classes=request.num_classes, input_size=request.input_size
            )
        return LoadedModel(
            module=module.eval(),
            architecture=self._describe(module, name, request),
            origin=WeightsOrigin.NONE,
        )

    def describe(
        self, module: Module, *, name: str, input_size: tuple[int, int, int] | None = None
    ) -> Architecture:
        """How to build a network again. name: canonical, or of a live network."""
        return properties.describe(module, adapter=self.name, name=name, input_size=input_size)

    def trace(self, module: Module, architecture: Architecture) -> DependencyTracing:
        """Groups and exact costs. Raises: ModelError."""
        return trace(
            module,
            self.attentions(module),
            model=architecture.name,
            input_size=architecture.input_size,
            stage_of=self.stage,
            branches=self.branches(module),
        )

    def score(
        self,
        module: Module,
        tracing: DependencyTracing,
        offer: "ImportanceOffer",
        *,
        reduction: "Reduction",
        batches: Sequence["ImageBatch"],
        seed: int,
    ) -> "Scores":
        """Score of every channel; the module is left as it was."""
        from ap_models.importances.scoring import score

        return score(module, tracing, offer, reduction=reduction, batches=batches, seed=seed)

    def cut(self, module: Module, tracing: DependencyTracing, plan: Plan) -> Surgery:
        """Remove, in place, every channel that the plan does not keep."""
        before = _widths(module)
        surgery = cut(module, tracing, plan)
        stale = _stale(before, tracing, plan)
        for path, values in stale.items():
            set_attributes(module.get_submodule(path), values)
        return Surgery(
            attributes={**surgery.attributes, **_joined(surgery.attributes, stale)},
            replaced=surgery.replaced,
        )

    def mask(self, module: Module, tracing: DependencyTracing, plan: Plan) -> Module:
        """Whole-width copy that computes what the cut network will."""
        return mask(module, tracing, plan)

    def difference(
        self, one: Module, other: Module, *, input_size: tuple[int, int, int], seed: int
    ) -> float:
        """Largest absolute difference of the outputs on a random image, relative to the largest
        absolute output of the first.
        """
        return difference(one, other, input_size=input_size, seed=seed)

    def unlike(self, one: Module, other: Module) -> str:
        """First tensor, class or setting in which two networks differ; empty where none does."""
        return unlike(one, other)

    def copy(self, module: Module) -> Module:
        """Deep copy, to cut and judge while the whole network stays."""
        return deepcopy(module)

    def perturbed(self, module: Module, *, seed: int) -> Module:
        """Copy with noise on vectors, running statistics, and what initialisation filled with one
        number: none of them must hide an error.

        Matrices that were drawn at random stay as they are, and are shared with the network, not
        copied.
        """
        drawn = [parameter for parameter in module.parameters() if _is_drawn(parameter)]
        twin = deepcopy(module, {id(parameter): parameter for parameter in drawn})
        shared, generator = set(map(id, drawn)), torch.Generator().manual_seed(seed)
        statistics = {n: t for n, t in twin.named_buffers() if n.endswith(STATISTICS)}
        changed = {n: p for n, p in twin.named_parameters() if id(p) not in shared} | statistics
        with torch.no_grad():
            for name, tensor in changed.items():
                noise = torch.randn(tensor.shape, generator=generator).to(tensor)
                # A variance must stay above zero.
                noise = noise.abs() if name.endswith("running_var") else noise
                tensor.add_(noise, alpha=0.1 if _is_vector(tensor) else 0.02)
        return twin

    def blank(self, module: Module) -> Module:
        """Twin on the meta device, which `restore` can turn into the cut network."""
        return meta_copy(module)

    def digest(self, module: Module) -> str:
        """SHA-256 over names, types, shapes and bytes of all parameters and buffers."""
        return weights_digest(module)

    def save(self, module: Module, path: Path) -> None:
        """Write parameters and buffers as safetensors; same tensors, same bytes."""
        save(module, path)

    def restore(self, module: Module, surgery: Surgery, weights: Path) -> Module:
        """Turn the whole network (on the meta device) into the cut one, with these weights."""
        return restore(module, surgery, weights)

    def _resolved(self, name: str) -> str:
        canonical = self.resolve(name)
        if canonical is None:
            raise ModelError(f"the adapter {self.name} cannot build {name!r}")
        return canonical

    def _describe(self, module: Module, name: str, request: ModelRequest) -> Architecture:
        return self.describe(module, name=name, input_size=request.input_size)


def _is_drawn(parameter: Tensor) -> bool:
    """Whether a matrix was filled with random numbers, and not with zeros, ones or any constant.

    The first elements tell: initialisation fills a whole tensor, or none of it.
    """
    sample = parameter.flatten()[:SAMPLE]
    return not _is_vector(parameter) and bool(sample.all() and (sample != sample[0]).any())


def _is_vector(tensor: Tensor) -> bool:
    """Whether it has one long axis only, as scales of layers have in any number of dimensions."""
    return tensor.numel() == max(tensor.shape, default=1)


Widths = Mapping[str, Mapping[str, int]]


def _widths(module: Module) -> Widths:
    """Width attributes of modules that hold others: timm keeps copies of its layers' widths."""
    return {
        path: found
        for path, child in module.named_modules()
        if next(child.children(), None) is not None
        and (
            found := {
                n: v for n in WIDTH_ATTRIBUTES if isinstance(v := getattr(child, n, None), int)
            }
        )
    }


def _stale(before: Widths, tracing: DependencyTracing, plan: Plan) -> Widths:
    """Width attributes that still say what a residual stream was before the cut.

    A holder's width is that of the last group of that width below it, in the order of execution;
    a residual stream for the whole network.
    """
    kept = tracing.kept(plan)
    left = [
        (port.layer, len(port.channels), len(kept[id(port)]))
        for port in reversed(tracing.ports)
        if port.role in ("norm", "in")
    ]
    changes: dict[str, dict[str, int]] = {}
    for path, values in before.items():
        for name, whole in values.items():
            width = _width_below(path, whole, left)
            if width != whole:
                changes.setdefault(path, {})[name] = width
    return changes


def _width_below(path: str, whole: int, left: Sequence[tuple[str, int, int]]) -> int:
    """What is left of the last side below a module that was as wide as the module says."""
    prefix = f"{path}." if path else ""
    widths = (kept for layer, size, kept in left if size == whole and layer.startswith(prefix))
    return next(widths, whole)


def _joined(
    attributes: Mapping[str, Mapping[str, int | float | list[int]]], more: Widths
) -> dict[str, dict[str, int | float | list[int]]]:
    return {path: {**attributes.get(path, {}), **values} for path, values in more.items()}

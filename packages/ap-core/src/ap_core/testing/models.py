"""Conformance of model adapters: everything that `ap_core.contracts.ModelAdapter` promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ap_core.contracts import (
    Architecture,
    LoadedModel,
    ModelAdapter,
    ModelRequest,
    Surgery,
    Tracing,
    WeightsPolicy,
)
from ap_core.cost import CostModel
from ap_core.errors import CheckpointError
from ap_core.network import GroupKind, Network
from ap_core.plan import Plan
from ap_core.plugins.offers import ImportanceOffer
from ap_core.scores import Scores
from ap_core.strategy import Reduction
from ap_core.testing.plans import random_plan
from ap_core.testing.requirement import fingerprint, import_torch, require, require_unchanged

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.nn import Module

    from ap_core.contracts import ImageBatch, LayerSlice

ROUNDING = 1e-5
"""Largest relative difference that the same weights make at other places in memory."""

TOLERANCE = 1e-4
"""Largest relative difference between the cut and the masked whole network (float32)."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network under check. tracing: of the skeleton, as the pipeline uses it."""

    adapter: ModelAdapter
    request: ModelRequest
    loaded: LoadedModel
    tracing: Tracing
    seed: int

    @property
    def module(self) -> "Module":
        """The network, with random weights."""
        return self.loaded.module

    @property
    def architecture(self) -> Architecture:
        """How it is built again."""
        return self.loaded.architecture

    @property
    def network(self) -> Network:
        """Its groups and costs."""
        return self.tracing.network

    def skeleton(self) -> "Module":
        """The network on the meta device, made afresh."""
        return self.adapter.skeleton(self.request).module

    def difference(self, one: "Module", other: "Module") -> float:
        """How far two networks' outputs are apart."""
        size = self.architecture.input_size
        return self.adapter.difference(one, other, input_size=size, seed=self.seed)


def check_model_adapter(
    adapter: ModelAdapter,
    names: Sequence[str],
    *,
    num_classes: int | None = None,
    input_size: tuple[int, int, int] | None = None,
    share: float = 0.5,
    seed: int = 0,
) -> None:
    """Demand of an adapter everything that its contract promises, for each of these networks.

    names: as a user types them; small networks make for quick checks.
    num_classes, input_size: asked for, None for each network's own.
    share: of every group's channels, how many the cut keeps.
    """
    _check_names(adapter)
    for name in names:
        request = ModelRequest(
            name=name,
            num_classes=num_classes,
            input_size=input_size,
            weights=WeightsPolicy.RANDOM,
            seed=seed,
        )
        subject = _load(adapter, request, seed)
        _check_weights(subject)
        _check_tracing(subject)
        _check_cost(subject.network.whole, subject, subject.skeleton())
        _check_scores(subject)
        noisy = _check_perturbed(subject)
        _check_blank(subject)
        _check_whole_plan(subject, noisy)
        _check_cut(subject, noisy, random_plan(subject.network, share=share, seed=seed))
        blocks = [block.name for block in subject.network.blocks]
        if blocks:
            # Every other one: of blocks that stand together, some go and some stay.
            plan = random_plan(subject.network, share=share, seed=seed, drop=blocks[::2])
            _check_cut(subject, noisy, plan)


def _check_names(adapter: ModelAdapter) -> None:
    known = list(adapter.names())
    require(len(known) == len(set(known)), "names() repeats names")
    for name in islice(known, 5):
        canonical = adapter.resolve(name)
        require(canonical is not None, f"names() lists {name!r}, resolve() does not know it")
        again = adapter.resolve(canonical or name)
        require(
            again == canonical, f"resolve() makes {canonical!r} of {name!r}, but of that {again!r}"
        )
    nobody = adapter.resolve("there is no such network")
    require(nobody is None, f"resolve() takes a name that nobody has for {nobody!r}")


def _load(adapter: ModelAdapter, request: ModelRequest, seed: int) -> Subject:
    canonical = adapter.resolve(request.name)
    require(canonical is not None, f"resolve() does not know {request.name!r}")
    loaded = adapter.load(request)
    skeleton = adapter.skeleton(request)
    require(adapter.recognises(loaded.module), f"it does not recognise its own {request.name}")
    require(loaded.architecture.name == canonical, f"load() calls it {loaded.architecture.name!r}")
    require(
        skeleton.architecture == loaded.architecture,
        f"skeleton() describes {skeleton.architecture}, load() {loaded.architecture}",
    )
    described = adapter.describe(
        loaded.module, name=loaded.architecture.name, input_size=loaded.architecture.input_size
    )
    require(
        described == loaded.architecture,
        f"describe() says {described}, load() {loaded.architecture}",
    )
    for name, parameter in skeleton.module.named_parameters():
        require(parameter.device.type == "meta", f"skeleton(): {name} is on {parameter.device}")
    before = fingerprint(skeleton.module)
    tracing = adapter.trace(skeleton.module, skeleton.architecture)
    require_unchanged(before, skeleton.module, "trace() of the skeleton")
    return Subject(adapter=adapter, request=request, loaded=loaded, tracing=tracing, seed=seed)


def _check_weights(subject: Subject) -> None:
    torch = import_torch()
    again = subject.adapter.load(subject.request)
    require(subject.loaded.weights_sha256, "load() gives no digest of the weights")
    require(
        again.weights_sha256 == subject.loaded.weights_sha256,
        "load() with one seed gives two sets of weights",
    )
    unlike = subject.adapter.unlike(subject.module, again.module)
    require(not unlike, f"load() with one seed gives two networks: {unlike}")
    far = subject.difference(subject.module, again.module)
    require(far <= ROUNDING, f"one network, two outputs: they differ by {far:.2g}")
    size, classes = subject.architecture.input_size, subject.architecture.num_classes
    with torch.no_grad():
        output = subject.module(torch.zeros(2, *size))
    require(
        tuple(output.shape) == (2, classes),
        f"two images of size {size} give the shape {tuple(output.shape)}, not (2, {classes})",
    )
    asked = subject.request
    require(asked.num_classes in (None, classes), f"{classes} classes, not {asked.num_classes}")
    require(asked.input_size in (None, size), f"input size {size}, not {asked.input_size}")


def _check_tracing(subject: Subject) -> None:
    before = fingerprint(subject.module)
    traced = subject.adapter.trace(subject.module, subject.architecture).network
    require_unchanged(before, subject.module, "trace()")
    network = subject.network
    require(traced == network, "the skeleton and the network with weights trace differently")
    require(len(network.by_name) == len(network.groups), "two groups have one name")
    require(network.free, "nothing can be cut")
    for layer in network.layers:
        for term in (*layer.macs, *layer.params):
            unknown = set(term.groups) - set(network.whole)
            require(not unknown, f"the cost of {layer.layer} names unknown groups {unknown}")
            require(
                term.groups == tuple(sorted(term.groups)),
                f"the groups in the cost of {layer.layer} are not sorted: {term.groups}",
            )
    _check_blocks(network)
    for group in network.groups:
        require(group.width > 0 and group.lanes > 0, f"{group.name} has no channels")
        if group.inside:
            owner = network.by_name.get(group.inside)
            fits = owner is not None and owner.kind is GroupKind.HEADS
            require(fits, f"{group.name} is inside {group.inside!r}, no group of heads")


def _check_blocks(network: Network) -> None:
    names = [block.name for block in network.blocks]
    inside = [name for block in network.blocks for name in block.groups]
    require(len(set(names)) == len(names), "two blocks have one name")
    require(not set(names) & set(network.by_name), "a block and a group have one name")
    unknown = set(inside) - set(network.by_name)
    require(not unknown, f"blocks take along groups that are not there: {unknown}")
    require(len(set(inside)) == len(inside), "a group is inside two blocks")


def _check_cost(widths: dict[str, int], subject: Subject, on_meta: "Module") -> None:
    costs = CostModel(subject.network)
    params = sum(parameter.numel() for parameter in on_meta.parameters())
    predicted = costs.params(widths)
    require(predicted == params, f"{predicted} parameters by the cost model, {params} in fact")
    if subject.network.uncounted:
        return
    counted, predicted = _count_macs(on_meta, subject.architecture), costs.macs(widths)
    require(predicted == counted, f"{predicted} MACs by the cost model, {counted} in fact")


def _count_macs(on_meta: "Module", architecture: Architecture) -> int:
    """MACs of one image, by torch's counter, which is right on the meta device."""
    torch = import_torch()
    counter = import_torch("utils.flop_counter").FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        on_meta(torch.empty(1, *architecture.input_size, device="meta"))
    flops: int = counter.get_total_flops()
    return flops // 2


def _check_scores(subject: Subject) -> None:
    torch = import_torch()
    generator = torch.Generator().manual_seed(subject.seed)
    shape = (4, *subject.architecture.input_size)
    labels = torch.arange(4) % subject.architecture.num_classes
    batch = (torch.randn(shape, generator=generator), labels)
    plain = ImportanceOffer(name="magnitude", summary="", load=lambda: _magnitude)
    driven = ImportanceOffer(name="slope", summary="", load=lambda: _slope, needs_data=True)
    for offer, batches in ((plain, ()), (driven, (batch, batch))):
        before = fingerprint(subject.module)
        first = _score(subject, offer, batches)
        require_unchanged(before, subject.module, f"score() with {offer.name}")
        second = _score(subject, offer, batches)
        for group in subject.network.free:
            if group.kind is GroupKind.HEADS:
                continue
            values, again = first.values.get(group.name), second.values.get(group.name)
            where = f"score of {group.name} by {offer.name}"
            require(values is not None and again is not None, f"there is no {where}")
            if values is None or again is None:
                return
            expected = (group.lanes, group.width)
            require(values.shape == expected, f"{where} has shape {values.shape}, not {expected}")
            require(values.dtype == "float64", f"{where} is of type {values.dtype}")
            require(bool((values >= 0).all()), f"{where} is negative or not a number")
            require(float(values.max()) < float("inf"), f"{where} is not finite")
            require(bool((values == again).all()), f"{where} differs from call to call")


def _score(subject: Subject, offer: ImportanceOffer, batches: Sequence["ImageBatch"]) -> Scores:
    return subject.adapter.score(
        subject.module,
        subject.tracing,
        offer,
        reduction=Reduction.MEAN,
        batches=batches,
        seed=subject.seed,
    )


def _magnitude(part: "LayerSlice", generator: "Generator") -> "Tensor":  # noqa: ARG001
    return part.weight.abs().sum(dim=1)


def _slope(part: "LayerSlice", generator: "Generator") -> "Tensor":  # noqa: ARG001
    if part.gradient is None:
        raise AssertionError(f"{part.layer} was given no gradient")
    return (part.weight * part.gradient).sum(dim=1).abs()


def _check_perturbed(subject: Subject) -> "Module":
    """The network with noise on it, which hides no error."""
    module, seed = subject.module, subject.seed
    before = fingerprint(module)
    noisy = subject.adapter.perturbed(module, seed=seed)
    require_unchanged(before, module, "perturbed()")
    again = subject.adapter.perturbed(module, seed=seed)
    unlike = subject.adapter.unlike(noisy, again)
    require(not unlike, f"perturbed() with one seed gives two networks: {unlike}")
    for name, tensor in noisy.state_dict().items():
        varied = (
            tensor.numel() == 1 or not tensor.is_floating_point() or tensor.min() < tensor.max()
        )
        require(varied, f"perturbed() leaves every element of {name} at {float(tensor.max()):g}")
    return noisy


def _check_blank(subject: Subject) -> None:
    before = fingerprint(subject.module)
    blank = subject.adapter.blank(subject.module)
    require_unchanged(before, subject.module, "blank()")
    expected = {name: tensor.shape for name, tensor in subject.module.state_dict().items()}
    found = {name: tensor.shape for name, tensor in blank.state_dict().items()}
    differing = [n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)]
    require(not differing, f"blank() has other tensors than the network: {sorted(differing)[:3]}")
    for name, tensor in blank.state_dict().items():
        require(tensor.device.type == "meta", f"blank(): {name} is on {tensor.device}")


def _check_whole_plan(subject: Subject, noisy: "Module") -> None:
    plan = random_plan(subject.network, share=1.0, seed=subject.seed)
    copy = subject.adapter.copy(noisy)
    subject.adapter.cut(copy, subject.tracing, plan)
    far = subject.difference(noisy, copy)
    require(far <= TOLERANCE, f"a cut that removes nothing changes the output by {far:.2g}")


def _check_cut(subject: Subject, noisy: "Module", plan: Plan) -> None:
    """Compare on noise: fresh branches that end in zeros would hide what happens in them."""
    adapter = subject.adapter
    fresh, before = fingerprint(subject.module), fingerprint(noisy)
    masked = adapter.mask(noisy, subject.tracing, plan)
    cut = adapter.copy(noisy)
    surgery = adapter.cut(cut, subject.tracing, plan)
    require_unchanged(before, noisy, "copy(), mask() and cut() of the copy")
    require_unchanged(fresh, subject.module, "mask() and cut() of what perturbed() made")
    far = subject.difference(masked, cut)
    require(far <= TOLERANCE, f"the cut and the masked network differ by {far:.2g}")
    require(subject.difference(noisy, cut) > 0, "cutting half of it changes no output")
    _check_cost(dict(plan.widths), subject, adapter.copy(cut).to("meta"))
    with TemporaryDirectory() as folder:
        _check_store(subject, cut, surgery, Path(folder))


def _check_store(subject: Subject, cut: "Module", surgery: Surgery, folder: Path) -> None:
    adapter = subject.adapter
    weights, twice, damaged = (folder / f"{name}.safetensors" for name in ("one", "two", "bad"))
    adapter.save(cut, weights)
    adapter.save(cut, twice)
    content = weights.read_bytes()
    require(content == twice.read_bytes(), "save() writes different bytes for the same tensors")
    # Runs are loaded from a skeleton where a name builds it, and from a blank twin where not.
    for whole in (subject.skeleton(), adapter.blank(subject.module)):
        _check_restored(subject, cut, adapter.restore(whole, surgery, weights))
    require(adapter.unlike(subject.module, cut), "unlike() sees no difference after a cut")
    damaged.write_bytes(content[: len(content) // 2])
    try:
        adapter.restore(subject.skeleton(), surgery, damaged)
    except CheckpointError:
        return
    raise AssertionError("restore() takes half a file without a CheckpointError")


def _check_restored(subject: Subject, cut: "Module", restored: "Module") -> None:
    left = [name for name, tensor in restored.state_dict().items() if tensor.device.type == "meta"]
    require(not left, f"restore() leaves {left[:3]} without weights")
    unlike = subject.adapter.unlike(cut, restored)
    require(not unlike, f"the restored network is not the saved one: {unlike}")
    far = subject.difference(cut, restored)
    require(far <= ROUNDING, f"the restored network differs from the saved one by {far:.2g}")

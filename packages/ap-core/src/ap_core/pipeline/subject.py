"""The network at hand: which adapter makes it, which one knows its structure, its weights."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ap_core.contracts import LoadedModel, ModelAdapter, ModelRequest, WeightsOrigin
from ap_core.errors import ModelError, unknown_name
from ap_core.plugins.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network, and the adapter that knows its structure.

    rebuildable: whether its name is enough to build it again, in another process.
    """

    adapter: ModelAdapter
    loaded: LoadedModel
    rebuildable: bool = True


def load_subject(registry: Registry, request: ModelRequest) -> Subject:
    """Network with weights, as asked for. Raises: UnknownNameError, ModelError, CheckpointError."""
    builder = builder_of(registry, request.name)
    return _recognised(registry, builder.load(request))


def skeleton_subject(registry: Registry, request: ModelRequest) -> Subject:
    """Network on the meta device. Raises: UnknownNameError, ModelError."""
    builder = builder_of(registry, request.name)
    return _recognised(registry, builder.skeleton(request))


def live_subject(
    registry: Registry, module: "Module", input_size: tuple[int, int, int] | None
) -> Subject:
    """A network that the caller made. Raises: ModelError where it cannot be run."""
    name, adapter = _recogniser(registry, module)
    called = f"live:{type(module).__name__}"
    architecture = adapter.describe(module, name=called, input_size=input_size)
    loaded = LoadedModel(
        module=module,
        architecture=replace(architecture, adapter=name),
        origin=WeightsOrigin.LIVE,
    )
    return Subject(adapter=adapter, loaded=loaded, rebuildable=False)


def builder_of(registry: Registry, name: str) -> ModelAdapter:
    """Adapter of the highest priority that can build what the user typed.

    Raises: UnknownNameError with the nearest names.
    """
    adapters = [adapter for _, adapter in _by_priority(registry)]
    for adapter in adapters:
        if adapter.resolve(name) is not None:
            return adapter
    raise unknown_name("model", name, {n for adapter in adapters for n in adapter.names()})


def _recognised(registry: Registry, loaded: LoadedModel) -> Subject:
    name, adapter = _recogniser(registry, loaded.module)
    architecture = replace(loaded.architecture, adapter=name)
    return Subject(
        adapter=adapter,
        loaded=replace(loaded, architecture=architecture),
        rebuildable=":" not in architecture.name,
    )


def _recogniser(registry: Registry, module: "Module") -> tuple[str, ModelAdapter]:
    for name, adapter in _by_priority(registry):
        if adapter.recognises(module):
            return name, adapter
    raise ModelError(
        f"no model adapter knows a {type(module).__name__}",
        hint="'ap plugins' lists the adapters; the plugin tutorial shows how to write one",
    )


def _by_priority(registry: Registry) -> Iterator[tuple[str, ModelAdapter]]:
    offers = registry.model_adapters
    for name in sorted(offers, key=lambda name: (-offers[name].priority, name)):
        yield name, offers[name].make()

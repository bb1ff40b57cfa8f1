"""The network at hand: which adapter makes it, which one knows its structure, its weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ap_core.contracts import LoadedModel, ModelAdapter, ModelRequest, WeightsOrigin
from ap_core.errors import ModelError, PluginError, UnknownNameError, unknown_name
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.plugins.calling import answered
from ap_core.plugins.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Module


T = TypeVar("T")
LIVE = "live:"
"""Beginning of the name of a network that the caller made."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network, and the adapter that knows its structure."""

    adapter: ModelAdapter
    loaded: LoadedModel


def load_subject(
    registry: Registry, request: ModelRequest, progress: Progress | None = None
) -> Subject:
    """Network with weights, as asked for. Raises: UnknownNameError, ModelError, CheckpointError."""
    builder = builder_of(registry, request.name, progress)
    return _recognised(registry, builder.load(request), progress)


def skeleton_subject(
    registry: Registry, request: ModelRequest, progress: Progress | None = None
) -> Subject:
    """Network on the meta device. Raises: UnknownNameError, ModelError."""
    builder = builder_of(registry, request.name, progress)
    return _recognised(registry, builder.skeleton(request), progress)


def live_subject(
    registry: Registry,
    module: "Module",
    input_size: tuple[int, int, int] | None,
    progress: Progress | None = None,
) -> Subject:
    """A network that the caller made. Raises: ModelError where it cannot be run."""
    name, adapter = _recogniser(registry, module, progress)
    called = f"{LIVE}{type(module).__name__}"
    architecture = adapter.describe(module, name=called, input_size=input_size)
    loaded = LoadedModel(
        module=module,
        architecture=replace(architecture, adapter=name),
        origin=WeightsOrigin.LIVE,
    )
    return Subject(adapter=adapter, loaded=loaded)


def made_by_function(name: str) -> bool:
    """Whether a network's name is not enough to build it again: a live one, or a user's factory."""
    return ":" in name


def builder_of(registry: Registry, name: str, progress: Progress | None = None) -> ModelAdapter:
    """Adapter of the highest priority that can build what the user typed; one that fails is
    skipped, and said so.

    Raises: UnknownNameError with the nearest names, or, for what looks like a path, without.
    """
    asked = []
    for offer, adapter in _by_priority(registry, progress):
        if _ask(registry, offer, partial(adapter.resolve, name), progress) is not None:
            return adapter
        asked.append((offer, adapter))
    every = (
        _ask(registry, offer, partial(_names, adapter), progress) or () for offer, adapter in asked
    )
    known = {each for names in every for each in names}
    if "/" in name and name.partition("/")[0] not in {each.partition("/")[0] for each in known}:
        raise UnknownNameError(
            f"there is no run or file {name}, and no model of that name",
            hint="'ap runs' lists the runs, 'ap models' the models",
        )
    raise unknown_name("model", name, known)


def _names(adapter: ModelAdapter) -> tuple[str, ...]:
    return tuple(adapter.names())


def _recognised(registry: Registry, loaded: LoadedModel, progress: Progress | None) -> Subject:
    name, adapter = _recogniser(registry, loaded.module, progress)
    architecture = replace(loaded.architecture, adapter=name)
    return Subject(adapter=adapter, loaded=replace(loaded, architecture=architecture))


def _recogniser(
    registry: Registry, module: "Module", progress: Progress | None
) -> tuple[str, ModelAdapter]:
    for name, adapter in _by_priority(registry, progress):
        if _ask(registry, name, partial(adapter.recognises, module), progress):
            return name, adapter
    raise ModelError(
        f"no model adapter knows a {type(module).__name__}",
        hint="'ap plugins' lists the adapters; the plugin tutorial shows how to write one",
    )


def _by_priority(
    registry: Registry, progress: Progress | None
) -> Iterator[tuple[str, ModelAdapter]]:
    offers = registry.model_adapters
    for name in sorted(offers, key=lambda name: (-offers[name].priority, name)):
        try:
            made = offers[name].make()
        except PluginError as error:
            (progress or WarningsOnly()).warn(error.message, hint=error.hint)
            continue
        yield name, made


def _ask(
    registry: Registry, name: str, question: Callable[[], T], progress: Progress | None
) -> T | None:
    """What an adapter answers; None, with a warning, where it fails."""
    owner = registry.model_adapters.owner(name)
    try:
        return answered(question, about=f"the model adapter {name!r}", owner=owner)
    except PluginError as error:
        (progress or WarningsOnly()).warn(error.message, hint=error.hint)
        return None

"""What can be named, and by whose leave: models of all adapters, offers of all plugins."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ap_core.errors import PluginError, unknown_name
from ap_core.plugins.offers import ModelAdapterOffer
from ap_core.plugins.problems import Owner, Problem
from ap_core.plugins.registry import Registry


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A model that can be asked for, and the adapter that takes it."""

    name: str
    adapter: str


@dataclass(frozen=True, kw_only=True)
class ListedPlugin:
    """A plugin, the names that it offers by kind, and what is wrong with it."""

    owner: Owner
    offers: dict[str, tuple[str, ...]]
    problems: tuple[Problem, ...]


def list_models(
    registry: Registry, *, globs: Sequence[str] = (), adapter: str | None = None
) -> tuple[tuple[NamedModel, ...], tuple[PluginError, ...]]:
    """Models whose names match one of the globs (all without any), and adapters that failed.

    Of several adapters that know a name, the one of the highest priority takes it.
    adapter: the only one to ask; if it fails, that raises.
    Raises: UnknownNameError for an unknown adapter, and for a glob that nothing matches.
    """
    takers: dict[str, str] = {}
    failures: list[PluginError] = []
    for offer in _by_priority(registry, adapter):
        try:
            made = offer.make()
        except PluginError as error:
            if adapter is not None:
                raise
            failures.append(error)
            continue
        for name in made.names():
            takers.setdefault(name, offer.name)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in takers):
            raise unknown_name("model", glob, takers)
    models = (
        NamedModel(name=name, adapter=taker)
        for name, taker in sorted(takers.items())
        if not globs or any(fnmatchcase(name, glob) for glob in globs)
    )
    return tuple(models), tuple(failures)


def list_plugins(registry: Registry) -> tuple[ListedPlugin, ...]:
    """Every plugin that was found, by distribution."""
    return tuple(
        ListedPlugin(
            owner=owner,
            offers=_offers_of(registry, owner),
            problems=tuple(each for each in registry.problems if owner in each.owners),
        )
        for owner in registry.owners
    )


def _by_priority(registry: Registry, adapter: str | None) -> list[ModelAdapterOffer]:
    if adapter is not None:
        return [registry.model_adapters[adapter]]
    return sorted(registry.model_adapters.values(), key=lambda offer: -offer.priority)


def _offers_of(registry: Registry, owner: Owner) -> dict[str, tuple[str, ...]]:
    names = {
        kind: tuple(name for name in offers if offers.owner(name) == owner)
        for kind, offers in registry.kinds()
    }
    return {kind: mine for kind, mine in names.items() if mine}

"""Loads plugins and calls their hooks; whatever a plugin does wrong becomes a problem, not an end.

pluggy's own loader dies on the first bad import and silently drops a second distribution with the
same entry-point name, so entry points are walked here; pluggy checks and holds what they lead to.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from inspect import isfunction
from itertools import groupby
from types import ModuleType

from pluggy import HookImpl, PluginManager, PluginValidationError

from ap_core.plugins import hooks
from ap_core.plugins.calling import FOREIGN
from ap_core.plugins.problems import Owner, Problem


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A loaded plugin: any object with hook implementations, most often a module."""

    owner: Owner
    implementation: object


@dataclass(frozen=True, kw_only=True)
class Returned:
    """One record that a hook implementation returned; its type is not checked yet."""

    owner: Owner
    hook: str
    record: object


def load(entry_points: Iterable[EntryPoint]) -> tuple[list[Plugin], list[Problem]]:
    """Plugins behind the entry points, ordered by distribution and name, and what went wrong."""
    plugins: list[Plugin] = []
    problems: list[Problem] = []
    for entry_point in sorted(entry_points, key=_owner):
        owner = _owner(entry_point)
        try:
            implementation = entry_point.load()
        except FOREIGN as error:
            what = f"cannot be imported: {type(error).__name__}: {error}"
            module = entry_point.value.partition(":")[0]
            hint = f"python -c 'import {module}' shows where"
            problems.append(Problem(owners=(owner,), what=what, hint=hint))
            continue
        plugins.append(Plugin(owner=owner, implementation=implementation))
    return plugins, problems + list(_shared_names(plugins))


def call_hooks(plugins: Iterable[Plugin]) -> tuple[list[Returned], list[Problem]]:
    """Everything that the plugins' hooks return, and what is wrong with the plugins."""
    manager = PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    owners: dict[str, Owner] = {}
    problems: list[Problem] = []
    for plugin in plugins:
        problem = _register(manager, plugin, owners)
        problems += _unmarked(plugin) if problem is None else [problem]
    returned: list[Returned] = []
    for hook, implementation in _implementations(manager):
        owner = owners[implementation.plugin_name]
        if not hasattr(hooks, hook):
            problems.append(_misspelt(owner, hook))
            continue
        records, problem = _call(owner, hook, implementation)
        returned += records
        problems += [problem] if problem else []
    return returned, problems


def _owner(entry_point: EntryPoint) -> Owner:
    found = entry_point.dist
    if found is None:
        return Owner(distribution="unknown", version="unknown", plugin=entry_point.name)
    return Owner(distribution=found.name, version=str(found.version), plugin=entry_point.name)


def _shared_names(plugins: Iterable[Plugin]) -> Iterator[Problem]:
    owners = sorted((plugin.owner for plugin in plugins), key=lambda owner: owner.plugin)
    for name, same in groupby(owners, key=lambda owner: owner.plugin):
        group = tuple(same)
        if len(group) > 1:
            yield Problem(
                owners=group,
                what=f"the entry point {name!r} is declared by {' and by '.join(map(str, group))}",
                hint="both are loaded; rename it in one of them",
            )


def _register(manager: PluginManager, plugin: Plugin, owners: dict[str, Owner]) -> Problem | None:
    key = f"{plugin.owner.distribution}:{plugin.owner.plugin}"
    try:
        manager.register(plugin.implementation, name=key)
    except PluginValidationError as error:
        # pluggy leaves what it had registered before it met the bad signature
        manager.unregister(name=key)
        what = " ".join(str(error).split())
        return Problem(owners=(plugin.owner,), what=what, hint="hooks of ap take no arguments")
    except ValueError:
        return _registered_twice(manager, plugin, owners)
    owners[key] = plugin.owner
    return None


def _registered_twice(manager: PluginManager, plugin: Plugin, owners: dict[str, Owner]) -> Problem:
    first = owners.get(manager.get_name(plugin.implementation) or "", plugin.owner)
    return Problem(
        owners=(first, plugin.owner),
        what=f"{first} and {plugin.owner} lead to the same plugin; it is loaded once",
        hint="uninstall one of them, or remove one of the entry points",
    )


def _implementations(manager: PluginManager) -> Iterator[tuple[str, HookImpl]]:
    for hook, caller in sorted(vars(manager.hook).items()):
        # pluggy keeps the last registered first
        for implementation in reversed(caller.get_hookimpls()):
            yield hook, implementation


def _misspelt(owner: Owner, name: str) -> Problem:
    near = get_close_matches(name, _hook_names(), n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"hooks: {', '.join(_hook_names())}"
    return Problem(owners=(owner,), what=f"there is no hook {name!r}", hint=hint)


def _hook_names() -> list[str]:
    return [name for name in vars(hooks) if name.startswith("ap_")]


def _unmarked(plugin: Plugin) -> Iterator[Problem]:
    if not isinstance(plugin.implementation, ModuleType):
        return
    for name, value in vars(plugin.implementation).items():
        own = isfunction(value) and value.__module__ == plugin.implementation.__name__
        if own and name.startswith("ap_") and not hasattr(value, f"{hooks.PROJECT}_impl"):
            yield Problem(
                owners=(plugin.owner,),
                what=f"the function {name!r} looks like a hook, but is not marked as one",
                hint="put @hookimpl of ap_core.plugins.hooks above it",
            )


def _call(
    owner: Owner, hook: str, implementation: HookImpl
) -> tuple[list[Returned], Problem | None]:
    try:
        found = implementation.function()
        records = (
            list(found) if isinstance(found, Iterable) and not isinstance(found, str) else None
        )
    except FOREIGN as error:
        what = f"{hook} failed: {type(error).__name__}: {error}"
        return [], Problem(owners=(owner,), what=what, hint="report it to the plugin's author")
    if records is None:
        what = f"{hook} returned {found!r} instead of a list of offers"
        return [], Problem(owners=(owner,), what=what, hint="return a list, empty if need be")
    return [Returned(owner=owner, hook=hook, record=record) for record in records], None

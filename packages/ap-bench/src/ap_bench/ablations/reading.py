"""Reading a configuration: one that is shipped, or a TOML file, with settings put over it."""

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from ap_bench.ablations.configuration import Configuration, parse
from ap_core.errors import UsageError, unknown_name

SUFFIX = ".toml"
HOME = "ap_bench.ablations"


def shipped() -> tuple[str, ...]:
    """Names of the configurations that come with the package."""
    names = (file.name for file in files(HOME).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


def read_configuration(
    name: str, overrides: Iterable[str] = (), *, data: str | None = None
) -> Configuration:
    """Configuration of this name, or of this file, with settings like "prune.trials=8" over it.

    data: images for all cells, where given.
    Raises: UnknownNameError, UsageError.
    """
    document = _parsed(_text(name), name)
    for override in overrides:
        _put(document, override)
    found = parse(document)
    if data is None:
        return found
    return found.model_copy(update={"prune": {**found.prune, "data": data}})


def _text(name: str) -> str:
    if name.endswith(SUFFIX):
        try:
            return Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the configuration {name} cannot be read: {error}") from error
    if name in shipped():
        return (files(HOME) / f"{name}{SUFFIX}").read_text("utf-8")
    raise unknown_name("configuration", name, shipped())


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the configuration {name} is no TOML: {error}") from error


def _put(document: dict[str, Any], override: str) -> None:
    """Put "table.key=value" into the document; of several tables, the name says which is meant."""
    place, equals, text = override.partition("=")
    *tables, key = _keys(place) if equals else [""]
    if not key:
        raise UsageError(
            f"--set {override!r} is not of the form TABLE.KEY=VALUE",
            hint="write it like --set prune.trials=8 or --set contender.grid.trials=8",
        )
    inner: Any = document
    for table in tables:
        inner = _below(inner, table, override)
    if not isinstance(inner, dict):
        raise UsageError(f"--set {override!r}: {tables[-1]} is no table")
    inner[key] = _value(text)


def _below(inner: Any, table: str, override: str) -> Any:
    if isinstance(inner, list):
        named = {str(each.get("name")): each for each in inner if isinstance(each, dict)}
        if table not in named:
            raise unknown_name(f"name in --set {override!r}:", table, named)
        return named[table]
    if not isinstance(inner, dict):
        raise UsageError(f"--set {override!r}: nothing is named {table} there")
    return inner.setdefault(table, {})


def _keys(place: str) -> list[str]:
    """Parts of a dotted key, which may be quoted as in TOML; [""] where it makes no sense."""
    try:
        inner: object = tomllib.loads(f"{place} = 0")
    except tomllib.TOMLDecodeError:
        return [""]
    if "\n" in place:
        return [""]
    keys = []
    while isinstance(inner, dict):
        ((key, inner),) = inner.items()
        keys.append(key)
    return keys


def _value(text: str) -> object:
    """Value as in TOML, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

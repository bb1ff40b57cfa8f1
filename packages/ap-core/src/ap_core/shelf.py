"""Documents of TOML that a package ships by name, or that lie in a file of the user's."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ap_core.errors import UsageError, unknown_name

SUFFIX = ".toml"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where documents of one kind lie.

    kind: what one is called: "recipe". package: that ships them. example: of a setting that is put
    over one, as it is typed: "finetune.epochs=2".
    """

    kind: str
    package: str
    example: str

    def names(self) -> tuple[str, ...]:
        """Names of the documents that are shipped."""
        names = (file.name for file in files(self.package).iterdir())
        return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))

    def read(self, name: str, overrides: Iterable[str] = ()) -> dict[str, Any]:
        """Document of this name, or of this file, with settings put over it.

        Of an array of tables, a setting names the one that is meant: "contender.grid.trials=8".
        Raises: UnknownNameError, UsageError.
        """
        try:
            document = tomllib.loads(self._text(name))
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"the {self.kind} {name} is no TOML: {error}") from error
        for override in overrides:
            self._put(document, override)
        return document

    def _text(self, name: str) -> str:
        if name.endswith(SUFFIX):
            try:
                return Path(name).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"the {self.kind} {name} cannot be read: {error}") from error
        if name in self.names():
            return (files(self.package) / f"{name}{SUFFIX}").read_text("utf-8")
        raise unknown_name(self.kind, name, self.names())

    def _put(self, document: dict[str, Any], override: str) -> None:
        """Put "table.key=value" into the document."""
        place, equals, text = override.partition("=")
        *tables, key = _keys(place) if equals else [""]
        if not key:
            raise UsageError(
                f"--set {override!r} is not of the form TABLE.KEY=VALUE",
                hint=f"write it like --set {self.example}",
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

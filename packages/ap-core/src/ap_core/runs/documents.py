"""JSON of a run directory: strict, versioned, exact."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ap_core.errors import RunError
from ap_core.runs.schema import SCHEMA

T = TypeVar("T")
Document = dict[str, object]


def encode(value: T, kind: type[T]) -> Document:
    """JSON document of a value of this kind, with the schema's number."""
    fields: Document = TypeAdapter(kind).dump_python(value, mode="json", by_alias=True)
    return {"schema": SCHEMA} | fields


def decode(text: bytes, kind: type[T], *, where: str) -> T:
    """Value that `encode` made this document of.

    where: file, and line, for the error. Raises: RunError where the document is damaged, holds
        what the kind does not know, or is of a schema of the future.
    """
    document = parse(text, where=where)
    check_schema(document, where=where)
    adapter = TypeAdapter(kind)
    try:
        value = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{where} is damaged: {place}: {first['msg']}") from error
    unknown = _unknown_key(document, encode(value, kind))
    if unknown:
        raise RunError(f"{where} is damaged: unknown key {unknown}")
    return value


def parse(text: bytes, *, where: str) -> Document:
    """JSON object; NaN, infinities and anything that is no object are damage. Raises: RunError."""
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise RunError(f"{where} is damaged: not a JSON object")
    return document


def check_schema(document: Mapping[str, object], *, where: str) -> None:
    """Refuse documents of another schema than this version's. Raises: RunError."""
    schema = document.get("schema")
    if schema == SCHEMA:
        return
    if isinstance(schema, int) and schema > SCHEMA:
        raise RunError(
            f"{where} has schema {schema}; this version of ap reads {SCHEMA}",
            hint="read it with the version of ap that wrote it, or a newer one",
        )
    raise RunError(f"{where} is damaged: schema {schema!r}")


def canonical(document: object, *, where: str) -> bytes:
    """JSON with sorted keys and no spaces: equal documents, equal bytes. Raises: RunError."""
    return _strict(document, where=where, sort_keys=True, separators=(",", ":"))


def one_line(document: object, *, where: str) -> bytes:
    """JSON on one line, keys in their order (the order of a strategy's globs has a meaning)."""
    return _strict(document, where=where, separators=(",", ":"))


def readable(document: object, *, where: str) -> bytes:
    """Indented JSON, keys in their order."""
    return _strict(document, where=where, indent=2)


def _strict(document: object, *, where: str, **style: Any) -> bytes:
    try:
        return json.dumps(document, allow_nan=False, ensure_ascii=False, **style).encode()
    except ValueError as error:
        place = _not_finite(document)
        raise RunError(f"{where} cannot hold {place}: it is not a finite number") from error


def _not_finite(document: object, place: str = "") -> str:
    match document:
        case float():
            return "" if isfinite(document) else place.rstrip(".")
        case dict():
            inside = ((_not_finite(value, f"{place}{key}.")) for key, value in document.items())
        case list() | tuple():
            inside = (_not_finite(value, f"{place}{i}.") for i, value in enumerate(document))
        case _:
            return ""
    return next(filter(None, inside), "")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _unknown_key(document: object, known: object, path: str = "") -> str:
    if document == known:
        return ""
    if isinstance(document, dict) and isinstance(known, dict):
        for key, value in document.items():
            if key not in known:
                return f"{path}{key}"
            if found := _unknown_key(value, known[key], f"{path}{key}."):
                return found
    if isinstance(document, list) and isinstance(known, list):
        for index, pair in enumerate(zip(document, known, strict=True)):
            if found := _unknown_key(*pair, f"{path}{index}."):
                return found
    return ""

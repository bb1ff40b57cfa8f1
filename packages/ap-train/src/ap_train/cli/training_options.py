"""Options of training on the command line: one for each setting, overriding the preset's."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import click

from ap_train.training.options import TrainOptions
from ap_train.training.presets import DEFAULT, PRESETS


def training_options() -> tuple[click.Option, ...]:
    """The preset, and every setting that may override it."""
    preset = click.Option(
        ["--preset"],
        type=click.Choice(list(PRESETS)),
        default=DEFAULT,
        show_default=True,
        help="Published way to train that the other settings override.",
    )
    return (preset, *(_option(name) for name in TrainOptions.model_fields if name != "preset"))


def settings_of(given: Mapping[str, object]) -> dict[str, object]:
    """Settings that the command line spells out."""
    return {
        name: given[name]
        for name in TrainOptions.model_fields
        if name != "preset" and given.get(name) is not None
    }


def _option(name: str) -> click.Option:
    field = TrainOptions.model_fields[name]
    spelling = f"--{name.replace('_', '-')}"
    summary = f"{(field.description or '')[:1].upper()}{(field.description or '')[1:]}."
    kind = _bare(field.annotation)
    if kind is bool:
        return click.Option([f"{spelling}/--no-{spelling[2:]}"], default=None, help=summary)
    if get_origin(kind) is Literal:
        return click.Option([spelling], type=click.Choice(get_args(kind)), help=summary)
    assert isinstance(kind, type)
    metavar = {int: "N", float: "X", str: "NAME"}[kind]
    return click.Option([spelling], type=kind, metavar=metavar, help=summary)


def _bare(annotation: object) -> object:
    """Type without its bounds and without None."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (kind,) = (each for each in get_args(annotation) if each is not NoneType)
        return _bare(kind)
    return annotation

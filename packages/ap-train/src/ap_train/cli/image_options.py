"""Options that say which images, for all commands that take them from a run unless told."""

from pathlib import Path
from typing import TypeVar

import click

CommandT = TypeVar("CommandT", bound=click.Command)


def with_image_options(command: CommandT) -> CommandT:
    """The command, with --data, --data-root and --on-corrupt before its other options."""
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    others = [param for param in command.params if not isinstance(param, click.Argument)]
    command.params = [*arguments, *_options(), *others]
    return command


def _options() -> tuple[click.Option, ...]:
    return (
        click.Option(
            ["--data"],
            metavar="NAME|DIR",
            help="Images; default: those of the run.",
        ),
        click.Option(
            ["--data-root"],
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Where a data set that has a name lies, or goes.",
        ),
        click.Option(
            ["--on-corrupt"],
            type=click.Choice(["refuse", "skip"]),
            help="What to do with images that cannot be read.",
        ),
    )

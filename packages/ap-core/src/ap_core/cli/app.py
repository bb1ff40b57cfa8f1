"""What every command is given: the registry and the console."""

from dataclasses import dataclass

import click

from ap_core.console import Console
from ap_core.plugins.registry import Registry


@dataclass(frozen=True, kw_only=True)
class App:
    """What every command is given, as `click`'s context object.

    arguments: the command line, without the program's name, for the record of a run.
    """

    registry: Registry
    console: Console
    arguments: tuple[str, ...] = ()


pass_app = click.make_pass_decorator(App)

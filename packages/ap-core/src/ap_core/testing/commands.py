"""Conformance of commands."""

from copy import copy

import click
from click.testing import CliRunner

from ap_core.testing.requirement import require

COMMON = frozenset({"-q", "--quiet", "-v", "--verbose", "--no-color", "--help"})
"""Options that every command of `ap` has without asking."""


def check_command(command: click.Command) -> None:
    """Demand of a command that it says what it and its options do, and redefines no common one."""
    require(isinstance(command, click.Command), f"{command!r} is no click.Command")
    require(command.help, "it does not say what it does")
    for option in (p for p in command.params if isinstance(p, click.Option)):
        taken = sorted(COMMON.intersection(option.opts + option.secondary_opts))
        require(not taken, f"{', '.join(taken)} is what every command has already")
        require(option.help or option.hidden, f"{option.opts[0]} does not say what it is for")
    # A command keeps the help option that it made first; this one's must not be the program's.
    shown = CliRunner().invoke(copy(command), ["--help"])
    require(shown.exit_code == 0, f"--help ends with {shown.exit_code}: {shown.exception!r}")

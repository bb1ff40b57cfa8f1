"""The `ap` command: finds the commands that plugins offer, and turns failures into exit codes."""

import gc
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from importlib.metadata import version
from typing import NoReturn, TextIO

import click

from ap_core.cli.app import App
from ap_core.console import Console
from ap_core.errors import ApError, ExitCode, Interrupted, PluginError
from ap_core.plugins.registry import Registry

INTERRUPTED = 130

VERBOSE = frozenset({"-v", "--verbose"})
NO_COLOR = "--no-color"

GARBAGE = (50_000, 20, 100)
"""When to collect garbage: objects made, collections of the young, of the middle-aged."""


class LazyGroup(click.Group):
    """Commands that plugins offer; listing them imports none."""

    def __init__(self, registry: Registry, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.registry = registry

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of all commands."""
        return list(self.registry.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002
        """The command, imported now, with the options that all share.

        Raises: UnknownNameError with the nearest names; PluginError.
        """
        command = self.registry.commands[cmd_name].make()
        if not isinstance(command, click.Command):
            owner = self.registry.commands.owner(cmd_name)
            raise PluginError(f"the command {cmd_name!r} of {owner} is no click command")
        return _with_shared_options(command)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands with the summaries of their offers."""
        rows = [(name, offer.summary) for name, offer in self.registry.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def command_line(registry: Registry, *, columns: int | None = None) -> click.Group:
    """The whole command line as a click group; to run it, give it an App as its object."""
    group = LazyGroup(
        registry,
        name="ap",
        help="Give a vision model a compute budget, and get a smaller model that keeps to it.",
        epilog="Example: ap prune --model convnext_small --target-macs 8.48",
        callback=_announce_problems,
        params=_shared_options(),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": columns},
    )
    return click.version_option(version("ap-core"), prog_name="ap", message="%(prog)s %(version)s")(
        group
    )


def main() -> NoReturn:
    """Run `ap` on the process's arguments, and exit."""
    # torch and timm leave a million objects that live as long as the process: looking through them
    # again and again took a tenth of the time.
    gc.set_threshold(*GARBAGE)
    sys.exit(run(sys.argv[1:], environment=os.environ, out=sys.stdout, err=sys.stderr))


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    out: TextIO,
    err: TextIO,
    find_plugins: Callable[[], Registry] = Registry.from_entry_points,
) -> int:
    """Run `ap` on these arguments; returns the exit code.

    find_plugins: where commands and all other offers come from.
    click itself ends the program, quietly, where nobody reads stdout any more.
    """
    columns = shutil.get_terminal_size().columns
    console = Console.from_environment(environment, out=out, err=err, columns=columns)
    console = replace(console, color=console.color and NO_COLOR not in arguments)
    try:
        registry = find_plugins()
        app = App(registry=registry, console=console, arguments=tuple(arguments))
        code = command_line(registry, columns=console.width).main(
            list(arguments), prog_name="ap", standalone_mode=False, obj=app
        )
        return code if isinstance(code, int) else ExitCode.DONE
    except ApError as error:
        if error.__cause__ is not None and not VERBOSE.isdisjoint(arguments):
            err.write("".join(traceback.format_exception(error.__cause__)))
        console.error(error.message, hint=error.hint)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show(err)
        return error.exit_code
    except click.ClickException as error:
        console.error(error.format_message(), hint=_usage_hint(error))
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        return _unexpected(error, console)


def _unexpected(error: BaseException, console: Console) -> int:
    """Tell of an interrupt, or of a bug; returns the exit code."""
    interrupt = _interrupt_of(error)
    if interrupt is not None or isinstance(error, click.Abort):
        console.error("interrupted", hint=_how_to_go_on(interrupt))
        return INTERRUPTED
    console.err.write("".join(traceback.format_exception(error)))
    console.error("this is a bug in ap", hint="please report it with the lines above")
    return ExitCode.BUG


def _interrupt_of(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that an error came of, if any: one that stops an import may end as another."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def _how_to_go_on(interrupt: KeyboardInterrupt | None) -> str:
    if not isinstance(interrupt, Interrupted):
        return ""
    from ap_core.report.commands import go_on_in

    command = go_on_in(interrupt.path)
    return f"go on with: {command}" if command else ""


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"see '{context.command_path} --help'" if context else ""


def _announce_problems() -> None:
    context = click.get_current_context()
    app = context.find_object(App)
    if app is None or context.invoked_subcommand == "plugins":
        return
    for problem in app.registry.problems:
        app.console.warn(str(problem), hint=problem.hint)


def _shared_options() -> list[click.Option]:
    flags: list[tuple[list[str], str, Callable[[Console], Console]]] = [
        (
            ["-q", "--quiet"],
            "Show results, warnings and errors only.",
            lambda console: replace(console, verbosity=-1),
        ),
        (
            sorted(VERBOSE, key=len),
            "Show more of what happens, and where a failure came from.",
            lambda console: replace(console, verbosity=1),
        ),
        (
            [NO_COLOR],
            "Use no colours; so does NO_COLOR in the environment.",
            lambda console: replace(console, color=False),
        ),
    ]
    return [
        click.Option(
            spellings, is_flag=True, expose_value=False, callback=_setting(change), help=purpose
        )
        for spellings, purpose, change in flags
    ]


def _with_shared_options(command: click.Command) -> click.Command:
    taken = {spelling for param in command.params for spelling in param.opts}
    extended = copy(command)
    extended.params = [
        *command.params,
        *(option for option in _shared_options() if not taken & set(option.opts)),
    ]
    if isinstance(extended, click.Group):
        below = extended.commands.items()
        extended.commands = {name: _with_shared_options(each) for name, each in below}
    return extended


def _setting(
    change: Callable[[Console], Console],
) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Callback of a flag that changes the console of the context it is given in."""

    def apply(context: click.Context, _flag: click.Parameter, given: bool) -> None:  # noqa: FBT001
        app = context.find_object(App)
        if given and app is not None:
            context.obj = replace(app, console=change(app.console))

    return apply

"""What `run` makes of failures, over registries that are made on the spot."""

import io
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from run_samples import BUDGET, record

from ap_core.cli.app import pass_app
from ap_core.cli.main import run
from ap_core.errors import ApError, LlmError, ModelError, OutOfReachError, PluginError, UsageError
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import CommandOffer
from ap_core.plugins.problems import Owner, Problem
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory

OWNER = Owner(distribution="ap-third", version="2.0", plugin="ap-third")


def registry_with(*commands, problems=()):
    offers = [
        CommandOffer(name=c.name, summary=f"Sum of {c.name}.", load=lambda c=c: c) for c in commands
    ]

    @hookimpl
    def ap_commands():
        return offers

    plugin = Plugin(owner=OWNER, implementation=SimpleNamespace(ap_commands=ap_commands))
    return Registry.from_plugins([plugin], problems=problems)


def call(registry, *arguments, **environment):
    out, err = io.StringIO(), io.StringIO()
    code = run(arguments, environment=environment, out=out, err=err, find_plugins=lambda: registry)
    return code, out.getvalue(), err.getvalue()


def command_raising(error):
    @click.command("fail")
    def fail():
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ApError, 1),
        (ModelError, 1),
        (UsageError, 2),
        (OutOfReachError, 3),
        (PluginError, 4),
        (LlmError, 5),
    ],
)
def test_an_expected_failure_takes_two_lines_and_its_exit_code(error, code):
    registry = registry_with(command_raising(error("it is so", hint="do that")))
    assert call(registry, "fail") == (code, "", "error: it is so\nhint: do that\n")


def test_a_failure_without_hint_takes_one_line():
    registry = registry_with(command_raising(ModelError("it is so")))
    assert call(registry, "fail") == (1, "", "error: it is so\n")


def test_anything_else_is_a_bug_and_shows_its_traceback():
    code, out, err = call(registry_with(command_raising(ZeroDivisionError("oops"))), "fail")
    assert (code, out) == (70, "")
    assert "Traceback (most recent call last)" in err
    assert "ZeroDivisionError: oops" in err
    assert err.endswith("error: this is a bug in ap\nhint: please report it with the lines above\n")


def test_an_interrupt_ends_with_130():
    code, out, err = call(registry_with(command_raising(KeyboardInterrupt())), "fail")
    assert (code, out, err.strip()) == (130, "", "error: interrupted")


def test_an_interrupt_that_stops_an_import_halfway_is_no_bug():
    error = RecursionError("while importing")
    error.__context__ = KeyboardInterrupt()
    code, _, err = call(registry_with(command_raising(error)), "fail")
    assert (code, err) == (130, "error: interrupted\n")


def test_an_interrupt_of_a_run_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @click.command("work")
    def work():
        with RunDirectory.create(Path("runs/one"), model="toy", budget=BUDGET) as run:
            run.write_record(record())
            raise KeyboardInterrupt

    code, _, err = call(registry_with(work), "work")
    assert code == 130
    assert err.strip() == "error: interrupted\nhint: go on with: ap prune --resume runs/one"


def test_an_interrupt_before_anything_was_kept_has_no_hint(tmp_path):
    @click.command("work")
    def work():
        with RunDirectory.create(tmp_path / "one", model="toy", budget=BUDGET):
            raise KeyboardInterrupt

    assert call(registry_with(work), "work")[2].strip() == "error: interrupted"


def test_a_clicks_exit_code_is_kept():
    registry = registry_with(command_raising(click.exceptions.Exit(3)))
    assert call(registry, "fail") == (3, "", "")


def test_a_bad_value_is_a_usage_error_that_names_the_command():
    @click.command("fail")
    @click.option("--count", type=int)
    def fail(count):
        raise AssertionError(count)

    code, out, err = call(registry_with(fail), "fail", "--count", "x")
    assert (code, out) == (2, "")
    assert err == (
        "error: Invalid value for '--count': 'x' is not a valid integer.\n"
        "hint: see 'ap fail --help'\n"
    )


def test_a_command_that_is_no_click_command_is_its_plugins_fault():
    broken = SimpleNamespace(name="broken")
    assert call(registry_with(broken), "broken") == (
        4,
        "",
        "error: the command 'broken' of ap-third 2.0 is no click command\n",
    )


def test_a_command_gets_console_registry_and_arguments():
    @click.command("show")
    @click.argument("word")
    @pass_app
    def show(app, word):
        app.console.result(f"{word} {list(app.registry.commands)} {app.arguments}")
        app.console.note("noted")
        app.console.detail("detailed")

    registry = registry_with(show)
    expected = "hi ['show'] ('show', 'hi')\n"
    assert call(registry, "show", "hi") == (0, expected, "noted\n")
    assert call(registry, "show", "hi", "-v")[2] == "noted\ndetailed\n"
    assert call(registry, "-v", "show", "hi")[2] == "noted\ndetailed\n"
    assert call(registry, "show", "-q", "hi")[2] == ""


def test_a_commands_own_option_wins_over_a_shared_one(capsys):
    @click.command("ask")
    @click.option("-q", "question")
    @pass_app
    def ask(app, question):
        app.console.result(question)

    assert call(registry_with(ask), "ask", "-q", "why")[:2] == (0, "why\n")
    assert call(registry_with(ask), "ask", "--help")[0] == 0
    helped = capsys.readouterr().out
    assert "--verbose" in helped
    assert "--quiet" not in helped


def test_problems_of_plugins_are_warned_about_on_stderr():
    @click.command("show")
    @pass_app
    def show(app):
        app.console.result("shown")

    problem = Problem(owners=(OWNER,), what="it is odd", hint="mend it")
    registry = registry_with(show, problems=[problem])
    warned = "warning: plugin ap-third: it is odd\nhint: mend it\n"
    assert call(registry, "show") == (0, "shown\n", warned)
    assert call(registry, "-q", "show") == (0, "shown\n", warned)

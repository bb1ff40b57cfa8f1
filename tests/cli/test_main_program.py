"""The installed `ap` in a subprocess: exit code, stdout, stderr."""

import os
import subprocess
import sys

import pytest

COMMANDS = {"models", "plugins", "profile", "prune", "report", "runs"}


HELP_THEN_MODULES = """
import atexit, sys
from ap_core.cli.main import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.argv = ["ap", "--help"]
main()
"""


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
        timeout=120,
        check=False,
    )


def ap(*arguments):
    return python("-m", "ap_core", *arguments)


def test_help_lists_every_command_and_imports_none():
    done = python("-c", HELP_THEN_MODULES)
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:\n")[2]
    assert {line.split()[0] for line in listed.splitlines() if line.strip()} >= COMMANDS
    imported = set(done.stderr.split())
    assert "ap_models.plugin" in imported
    assert not imported & {"torch", "timm", "numpy", "pydantic", "rich", "optuna", "jinja2"}
    assert not imported & {f"ap_core.cli.{command}" for command in COMMANDS}


def test_a_short_flag_and_no_arguments_show_help_too():
    assert ap("-h").stdout == ap("--help").stdout
    alone = ap()
    assert alone.returncode == 2
    assert alone.stdout == ""
    assert "Commands:" in alone.stderr


def test_the_version_is_shown():
    done = ap("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ap 0.1.0\n", "")


def test_an_unknown_command_suggests_near_ones():
    done = ap("plugin")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown command 'plugin'\nhint: did you mean plugins or prune?\n"


def test_an_unknown_option_is_a_usage_error():
    done = ap("plugins", "--jsn")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: No such option '--jsn'.")
    assert done.stderr.endswith("hint: see 'ap plugins --help'\n")


def test_a_closed_pipe_ends_quietly():
    command = f"{sys.executable} -m ap_core models --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "{\n")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("spelling", ["-q", "--quiet", "-v", "--verbose", "--no-color"])
def test_shared_options_go_before_and_behind_the_command(spelling):
    before, behind = ap(spelling, "plugins"), ap("plugins", spelling)
    assert before.returncode == behind.returncode == 0
    assert before.stdout == behind.stdout

"""The installed `ap` in a subprocess: exit code, stdout, stderr."""

import os
import pty
import subprocess
import sys

import pytest

COMMANDS = {"drive", "models", "plugins", "profile", "prune", "report", "runs"}


HELP_THEN_MODULES = """
import atexit, sys
from ap_core.cli.main import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
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
    done = python("-c", HELP_THEN_MODULES, "--help")
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:\n")[2]
    assert {line.split()[0] for line in listed.splitlines() if line.strip()} >= COMMANDS
    imported = set(done.stderr.split())
    assert "ap_models.plugin" in imported
    assert not imported & {"torch", "timm", "numpy", "pydantic", "rich", "optuna", "jinja2"}
    assert not imported & {f"ap_core.cli.{command}" for command in COMMANDS}


@pytest.mark.parametrize("command", sorted({*COMMANDS, "bench"}))
def test_help_of_a_command_needs_no_torch(command):
    done = python("-c", HELP_THEN_MODULES, command, "--help")
    assert done.returncode == 0
    assert f"Usage: ap {command}" in done.stdout
    assert "torch" not in done.stderr.split()


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


@pytest.fixture
def damaged(tmp_path):
    run = tmp_path / "damaged"
    run.mkdir()
    (run / "run.json").write_text("{")
    return run


@pytest.mark.parametrize("spelling", ["-q", "--quiet"])
def test_quiet_before_and_behind_the_command_leaves_out_notes(spelling, tmp_path):
    noted = ap("runs", str(tmp_path))
    assert (noted.returncode, noted.stderr) == (0, f"no runs below {tmp_path}\n")
    for quiet in (ap(spelling, "runs", str(tmp_path)), ap("runs", spelling, str(tmp_path))):
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.parametrize("spelling", ["-v", "--verbose"])
def test_verbose_before_and_behind_the_command_shows_where_a_failure_came_from(spelling, damaged):
    plain = ap("report", str(damaged))
    assert plain.returncode == 1
    assert plain.stderr.startswith(f"error: {damaged / 'run.json'} is damaged")
    for verbose in (ap(spelling, "report", str(damaged)), ap("report", str(damaged), spelling)):
        assert verbose.returncode == 1
        assert "JSONDecodeError" in verbose.stderr
        assert verbose.stderr.endswith(plain.stderr)


def test_no_color_before_and_behind_the_command_leaves_out_colors(damaged):
    home = str(damaged.parent)
    colored = "\x1b[33;1mwarning:\x1b[0m"
    assert colored in on_terminal("runs", home)
    for plain in (on_terminal("--no-color", "runs", home), on_terminal("runs", "--no-color", home)):
        assert "\nwarning: " in plain
        assert colored not in plain


def test_no_color_reaches_the_error(tmp_path):
    absent = str(tmp_path / "absent")
    assert "\x1b[31;1merror:\x1b[0m no directory" in on_terminal("runs", absent)
    for plain in (
        on_terminal("--no-color", "runs", absent),
        on_terminal("runs", "--no-color", absent),
        on_terminal("runs", "show", "--no-color", absent),
    ):
        assert plain.startswith("error: no ")


def on_terminal(*arguments):
    """What `ap` writes where it has a terminal."""
    ours, its = pty.openpty()
    environment = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    command = [sys.executable, "-m", "ap_core", *arguments]
    with subprocess.Popen(
        command, stdout=its, stderr=its, env={**environment, "TERM": "xterm", "COLUMNS": "80"}
    ):
        os.close(its)
        shown = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    return shown.decode()


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says when the other side is closed
        return b""

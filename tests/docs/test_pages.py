"""What the documentation tells to type is typed: every `sh` and `python` block, page by page.

A block with a title is a file of that name; one marked `text said` is what the command before it
says.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
BLOCK = re.compile(
    r"^```(sh|python|toml(?= title)|text(?= said))(?: ([^\n]*))?\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def run_shell(code: str, place: Path, expected: int) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", code],
        cwd=place,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_does_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names: dict[str, object] = {}
    blocks = BLOCK.findall(page.read_text("utf-8"))
    assert blocks
    said = ""
    for language, about, code in blocks:
        if title := re.search(r'title="([^"]+)"', about):
            (tmp_path / title[1]).write_text(code)
        elif language == "sh":
            exit_code = re.search(r"exit=(\d+)", about)
            said = run_shell(code, tmp_path, int(exit_code[1]) if exit_code else 0)
        elif language == "text":
            assert code in said
        else:
            exec(compile(code, page.name, "exec"), names)  # noqa: S102

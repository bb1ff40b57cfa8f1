"""What the documentation tells to type is typed: every `sh` and `python` block, page by page.

A block with a title is a file of that name; one marked `text said` is what the command before it
says.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from warm import warm_ap

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
BLOCK = re.compile(
    r"^```(sh|python|toml(?= title)|text(?= said))(?: ([^\n]*))?\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

DEMO = "ap demo --output runs/demo\n"


def run_shell(code: str, place: Path, expected: int, *programs: Path) -> str:
    """What a page's commands say. programs: where `ap` is looked for first."""
    folders = [*map(str, programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        ["bash", "-e", "-c", code],
        cwd=place,
        env=os.environ | {"PATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What the demo says as JSON, and what it leaves, for pages that begin with it."""
    place = tmp_path_factory.mktemp("demo")
    said = run_shell(f"{DEMO.strip()} --json 2>demo.log", place, 0)
    return json.loads(said), place / "runs" / "demo"


def test_the_demo_trains_prunes_and_reports(demo):
    found, place = demo
    assert found["accuracy"]["baseline"]["top1"] > 0.95
    assert found["macs"] <= found["target_macs"]
    assert (place / "run" / "report.html").exists()


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_does_what_it_shows(page, tmp_path, monkeypatch, latencies, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(latencies))
    names: dict[str, object] = {}
    # The README is for those who have just installed it.
    first = () if page.name == "README.md" else (warm_ap().parent,)
    blocks = BLOCK.findall(page.read_text("utf-8"))
    assert blocks
    said = ""
    for language, about, code in blocks:
        if title := re.search(r'title="([^"]+)"', about):
            (tmp_path / title[1]).write_text(code)
        elif language == "sh":
            if first and DEMO in code:
                shutil.copytree(request.getfixturevalue("demo")[1], tmp_path / "runs" / "demo")
                code = code.replace(DEMO, "")
            exit_code = re.search(r"exit=(\d+)", about)
            said = run_shell(code, tmp_path, int(exit_code[1]) if exit_code else 0, *first)
        elif language == "text":
            assert code in said
        else:
            exec(compile(code, page.name, "exec"), names)  # noqa: S102

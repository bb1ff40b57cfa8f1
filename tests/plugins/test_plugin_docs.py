"""What the documentation of plugins shows is what there is."""

import inspect
import re
from pathlib import Path

import pytest

from ap_core import testing
from ap_core.plugins import hooks

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name in vars(hooks) if name.startswith("ap_")]
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_the_tutorial_shows_the_files_of_the_example_verbatim(example):
    shown = dict(BLOCK.findall((DOCS / "tutorials" / "plugin.md").read_text("utf-8")))
    there = {
        path.relative_to(example).as_posix(): path.read_text("utf-8")
        for path in sorted(example.rglob("*"))
        if path.suffix in {".py", ".toml"} and path.name != "__init__.py"
    }
    assert shown == there


def test_the_tutorial_names_every_conformance_check():
    text = (DOCS / "tutorials" / "plugin.md").read_text("utf-8")
    assert [name for name in testing.__all__ if name not in text] == []


def sections():
    text = (DOCS / "reference" / "hooks.md").read_text("utf-8")
    parts = re.split(r"^## `(ap_\w+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_reference_has_a_section_for_every_hook_and_no_other():
    assert list(sections()) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_the_section_of_a_hook_is_its_docstring(hook):
    docstring = inspect.getdoc(getattr(hooks, hook))
    assert sections()[hook].strip() == docstring.strip()

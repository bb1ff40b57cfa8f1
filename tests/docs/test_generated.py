"""The generated pages of the documentation say what the code says."""

import importlib.util
import re
from pathlib import Path

import pytest

from ap_core.pipeline.options import PruneOptions
from ap_core.strategy import Strategy

DOCS = Path(__file__).parents[2] / "docs"


def generated():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.fixture(scope="module")
def pages():
    return generated()


@pytest.mark.parametrize(
    "page",
    [
        "reference/cli.md",
        "reference/strategy.md",
        "reference/api.md",
        "explanation/measurements.md",
    ],
)
def test_a_generated_page_is_as_it_would_be_written_now(pages, page):
    there = (DOCS / page).read_text("utf-8")
    assert there == pages[DOCS / page], "run `make docs`"


def test_the_page_on_recipes_names_every_key_of_their_first_table():
    told = (DOCS / "how-to" / "recipes.md").read_text("utf-8")
    keys = {*PruneOptions.model_fields, *Strategy.model_fields} - {"strategy"}
    assert {key for key in keys if f"`{key}`" not in told} == set()


def test_every_link_between_pages_leads_somewhere():
    for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"

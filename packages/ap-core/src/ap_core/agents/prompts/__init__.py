"""Prompts, as templates that can be read, and how they are filled."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

BYTES_PER_TOKEN = 3
"""Of prompts full of numbers and names; plain English has four and more."""


def filled(name: str, values: Mapping[str, object]) -> str:
    """Prompt of this name, with these values; a value that is missing is an error."""
    return _templates().get_template(f"{name}.md.j2").render(values).strip() + "\n"


def tokens_of(text: str) -> int:
    """About how many tokens a text takes; rather too many than too few."""
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)


@cache
def _templates() -> "Environment":
    """All prompts, each compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Prompts are text for an LLM, not pages for a browser.
    return Environment(
        loader=PackageLoader(__name__, "."), undefined=StrictUndefined, autoescape=False
    )

"""What is said of options, in the words of a recipe: there they are settings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ap_core.errors import ApError, hinted

OPTION = re.compile(r"--(?P<name>[a-z][a-z-]*)(?: (?P<value>none|random|skip|soft|hard|[\d.]+)\b)?")
"""An option in a hint, with its value where one is told."""

OF_THE_COMMAND = ("data", "output", "resume", "set")
"""Options that `ap run` has, or that are of another command that the hint spells out."""

SWITCHES = ("from-scratch", "auto-batch")


@contextmanager
def as_settings(table: str) -> Iterator[None]:
    """Let errors in the block name settings of this table where they name options."""
    with hinted(ApError, lambda hint: OPTION.sub(lambda found: _setting(found, table), hint)):
        yield


def _setting(found: re.Match[str], table: str) -> str:
    name, value = found["name"], found["value"]
    if name in OF_THE_COMMAND:
        return found[0]
    value = "true" if name in SWITCHES else value or "..."
    return f"--set {table}.{name.replace('-', '_')}={value}"

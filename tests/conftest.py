"""What all tests share: their order, and latencies that are timed once."""

import gc
import os
from pathlib import Path

import pytest

from ap_core.cli.main import GARBAGE

LONGEST_FIRST = ("docs", "train", "cli", "bench", "plugins", "models", "api", "llm", "core")
"""Folders by how long their files take: no worker is left alone with a long one at the end."""

gc.set_threshold(*GARBAGE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long folders first."""
    here = Path(__file__).parent
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.relative_to(here).parts[0]))


def pytest_collection_finish() -> None:
    """Look no more through what was imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def latencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all workers: what one has timed, another need not time."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "latencies"

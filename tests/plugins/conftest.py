"""What the tests of plugins share: the example package, importable from its sources."""

from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "ap-plugin-example"


@pytest.fixture
def example(monkeypatch):
    """Root of the example package, whose modules can be imported."""
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    return EXAMPLE

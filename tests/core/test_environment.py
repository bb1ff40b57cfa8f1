"""What a run keeps of what it was made with."""

from importlib.metadata import version

import pytest

from ap_core.pipeline.environment import environment


@pytest.mark.parametrize(
    "name", ["ap-core", "ap-models", "ap-train", "ap-bench", "ap-llm", "torch", "accelerate"]
)
def test_a_run_keeps_the_version_of_what_decides_over_its_result(name):
    assert environment()[name] == version(name)

"""What a run keeps of what it was made with."""

from importlib.metadata import version

import pytest

from ap_core.pipeline import environment as environments
from ap_core.pipeline.environment import environment, processor


@pytest.mark.parametrize(
    "name", ["ap-core", "ap-models", "ap-train", "ap-bench", "ap-llm", "torch", "accelerate"]
)
def test_a_run_keeps_the_version_of_what_decides_over_its_result(name):
    assert environment()[name] == version(name)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("processor\t: 0\nmodel name\t: Fast CPU 9\n", "Fast CPU 9"),
        (
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
            "implementer 0x41 part 0xd0c",
        ),
    ],
)
def test_processors_without_a_name_are_told_apart_by_their_numbers(
    tmp_path, monkeypatch, told, name
):
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(environments, "PROCESSORS", tmp_path / "cpuinfo")
    assert processor() == name

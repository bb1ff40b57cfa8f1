"""A budget of time on this machine, by the installed program: whatever the machine is busy with,
what is measured is told as it was measured, and what makes no sense is refused.
"""

import json
import re

import pytest
from test_prune import RANDOM, ap

from ap_bench.measuring.machine import machine
from ap_core.strategy import Strategy

SMALL = ("--model", "test_resnet", "--num-classes", "10", "--input-size", "32", *RANDOM)
STACK = ("--latency-threads", "1", "--latency-batch", "32")


@pytest.fixture(scope="module", autouse=True)
def cache(latencies):
    """What the page on latencies times, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(latencies))
        yield


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    place = tmp_path_factory.mktemp("timed")
    given = (*SMALL, "--target-latency", "90%", "--target-macs", "30%", *STACK)
    done = ap("prune", *given, "--output", "run", "--json", cwd=place)
    return place, json.loads(done.stdout), done.stderr


def test_what_was_measured_is_told(cut):
    _, found, said = cut
    latency = found["latency"]
    assert (latency["backend"], latency["device"]) == ("eager", "cpu")
    assert (latency["threads"], latency["batch_size"]) == (1, 32)
    assert latency["low"] <= latency["faster"] <= latency["high"]
    assert latency["seconds"] == pytest.approx(latency["base_seconds"] / latency["faster"])
    assert found["target_seconds"] == pytest.approx(0.9 * latency["base_seconds"], rel=1e-6)
    assert found["macs"] <= found["target_macs"]
    # Its groups are too narrow for what coarser multiples gain to be measured.
    assert int(re.search(r"widths are multiples of (\d+);", said)[1]) >= Strategy().grain
    told = dict(latency["machine"])
    assert (told.pop("device"), told.pop("threads")) == ("cpu", "1")
    assert told.items() <= machine().items()


def test_the_run_shows_its_latency(cut):
    place, found, _ = cut
    shown = ap("runs", "show", "run", cwd=place).stdout
    assert "ms" in shown or "us" in shown
    timed = (place / "run" / "latencies.jsonl").read_text().splitlines()
    assert found["latency"]["measured"] == len({json.loads(line)["plan"] for line in timed})
    again = ap("prune", "--resume", "run", "--json", cwd=place)
    assert json.loads(again.stdout)["latency"] == found["latency"]


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (("--target-latency", "1ns", *STACK), 3, "reachable: from"),
        (("--target-latency", "70%", "--band", "1%"), 2, "--band does nothing without"),
        (("--target-latency", "70%", "--latency-device", "cuda:7"), 2, "there is no cuda:7 here"),
        (("--target-latency", "70%", "--latency-device", "tpu"), 2, "'tpu' is no device"),
        (
            ("--target-latency", "70%", "--latency-backend", "onnxruntime",
             "--latency-memory-format", "channels-last"), 2,
            "--latency-memory-format channels-last does nothing in onnxruntime",
        ),
        (
            ("--target-latency", "70%", "--latency-backend", "onnxruntime",
             "--latency-dtype", "bf16"), 2, "hint: take --latency-dtype fp32 or fp16",
        ),
        (("--target-latency", "70%", "--latency-batch", "9999999"), 1, "does not fit in memory"),
        (("--target-latency", "70%", "--latency-batch", "9999999"), 1, "hint: --latency-batch "),
    ],
)  # fmt: skip
def test_what_cannot_be_timed_is_refused(cut, given, code, words):
    place, _, _ = cut
    done = ap("prune", *SMALL, *given, "--output", "no", cwd=place, code=code)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place / "no").exists()

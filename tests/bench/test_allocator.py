"""What is freed between two layers is kept, unless the environment has it otherwise."""

import subprocess
import sys

import pytest

from ap_bench.measuring.machine import machine

PROGRAM = """
import resource, torch
from torch import nn
from ap_bench.measuring.allocator import keep_freed_memory
from ap_bench.measuring.devices import measuring
from ap_bench.measuring.networks import Network
from ap_bench.measuring.settings import Settings

layers = [nn.Conv2d(64, 64, 1) for _ in range(8)]
network = Network(name="wide", module=nn.Sequential(*layers).eval(), input_size=(64, 64, 64))
with measuring(1):
    ready = network.prepare(Settings(batch_size=8))
    ready.block(3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    ready.block(10)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print((after - before) / 10, keep_freed_memory(), sep="\\n")
"""
"""Faults of pages in a pass, whose eight layers take 2048 pages each; then who allocates."""

LAYER = 8 * 64 * 64 * 64 * 4 // 4096

ON_GLIBC = pytest.mark.skipif(
    "glibc" not in machine().get("allocator", ""), reason="no glibc, or not by itself"
)


def pages_and_words(**environment: str) -> tuple[float, str]:
    """Pages that a pass has mapped anew, in a process with this in its environment besides."""
    clean = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    pages, words = done.stdout.splitlines()
    return float(pages), words


@ON_GLIBC
def test_no_layer_has_its_memory_mapped_anew():
    pages, words = pages_and_words()
    assert pages < LAYER / 20
    assert words == "glibc, keeps what is freed"


@ON_GLIBC
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MALLOC_MMAP_THRESHOLD_": "131072"}, "glibc, mmap_threshold 131072"),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}, "glibc, mmap_threshold 131072"),
    ],
)
def test_whoever_chose_in_the_environment_has_it_so(environment, words):
    found = pages_and_words(**environment)
    assert found[0] > 4 * LAYER
    assert found[1] == words


@ON_GLIBC
def test_what_says_nothing_of_it_in_the_environment_changes_nothing():
    settings = {"MALLOC_ARENA_MAX": "2", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=4"}
    pages, words = pages_and_words(**settings)
    assert pages < LAYER / 20
    assert words == "glibc, keeps what is freed"


@ON_GLIBC
def test_an_allocator_that_is_preloaded_is_named(tmp_path):
    missing = tmp_path / "libjemalloc.so.2"
    _, words = pages_and_words(LD_PRELOAD=str(missing))
    assert words == "libjemalloc.so.2"

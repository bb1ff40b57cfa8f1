"""The results as JSON, as a table in a file, in the terminal, and as a picture."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from ap_bench.measuring.document import bench_csv, bench_document
from ap_bench.measuring.outputs import check_outputs, write_outputs
from ap_bench.measuring.plot import draw
from ap_bench.measuring.view import show_bench
from ap_core.console import Console
from ap_core.errors import UsageError
from ap_core.report.bench_file import BenchFile


def test_the_document_holds_the_machine_and_all_rounds(invented):
    found = json.loads(json.dumps(bench_document(invented), allow_nan=False))
    assert (found["schema"], found["confidence"], found["fresh"]) == (1, 0.95, False)
    assert found["environment"]["processor"] == "Model T"
    assert len(found["results"]) == 4
    whole, cut = found["results"][:2]
    assert (whole["ratio"], whole["ratio_interval"]) == (1.0, None)
    assert cut == {
        "name": "cut", "macs": 1_000_000, "counters": {"torch_pruning_macs": 2_100_000},
        "params": 1000, "size": 4000, "input_size": [3, 32, 32], "top1": 0.75, "device": "cpu",
        "dtype": "fp32", "batch_size": 1, "threads": 1, "memory_format": "contiguous",
        "backend": "eager", "median": 0.002, "median_interval": [0.0019, 0.0022], "p90": 0.0025,
        "throughput": 480.0, "memory": 5000, "memory_kind": "tensors", "ratio": 1.6,
        "ratio_interval": [1.5, 1.7], "outliers": 1, "denormals": None, "rounds": [0.002] * 6,
    }  # fmt: skip


def test_a_report_reads_the_document(invented, tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(bench_document(invented)))
    found = BenchFile.read(path, runs=[Path("cut")])
    assert found.machine["processor"] == "Model T"
    assert [[(each.name, each.batch_size) for each in group] for group in found.groups] == [
        [("whole", 1), ("cut", 1)], [("whole", 8), ("cut", 8)],
    ]  # fmt: skip
    assert found.groups[0][1].ratio_interval == (1.5, 1.7)


def test_the_table_has_a_line_for_every_result(invented):
    rows = list(csv.DictReader(io.StringIO(bench_csv(invented))))
    assert [(row["name"], row["batch_size"]) for row in rows] == [
        ("whole", "1"), ("cut", "1"), ("whole", "8"), ("cut", "8"),
    ]  # fmt: skip
    cut = rows[1]
    assert (cut["ratio"], cut["ratio_low"], cut["ratio_high"]) == ("1.6", "1.5", "1.7")
    assert (cut["torch_pruning_macs"], cut["input_size"]) == ("2100000", "3x32x32")
    assert (rows[0]["ratio"], rows[0]["ratio_low"], rows[0]["top1"]) == ("1.0", "", "")


def test_the_terminal_shows_subjects_once_and_a_block_for_every_combination(invented):
    out = io.StringIO()
    show_bench(Console(out=out, err=io.StringIO()), invented)
    assert out.getvalue() == SHOWN


SHOWN = """\
network  image        parameters  MACs     by torch-pruning  on disk   top-1
whole    3 x 32 x 32  1.000 k     2.000 M  2.100 M           4.000 kB  -
cut      3 x 32 x 32  1.000 k     1.000 M  2.100 M           4.000 kB  75.00 %

cpu, fp32, batch 1, 1 thread, eager
network  ms     95 %            p90 ms  images/s  memory    speed-up  95 %            outliers
whole    2.000  1.900 to 2.200  2.500   480.0     5.000 kB  1         -               0 of 6
cut      2.000  1.900 to 2.200  2.500   480.0     5.000 kB  1.600     1.500 to 1.700  1 of 6

cpu, fp32, batch 8, 1 thread, eager
network  ms     95 %            p90 ms  images/s  memory    speed-up  95 %            outliers
whole    2.000  1.900 to 2.200  2.500   480.0     5.000 kB  1         -               0 of 6
cut      2.000  1.900 to 2.200  2.500   480.0     5.000 kB  1.600     1.500 to 1.700  1 of 6

speed-up: over whole, round by round
memory: most bytes of weights, images and results at once
outliers: rounds beyond 1.5 interquartile ranges; none is left out
on 2 cores of Model T; torch 2.0; Linux
"""


def test_a_picture_has_a_panel_for_macs_and_one_for_accuracy(invented, tmp_path):
    draw(invented, tmp_path / "both.png")
    blind = replace(
        invented,
        facts=tuple(replace(each, top1=None) for each in invented.facts),
        groups=tuple(
            tuple(replace(each, facts=replace(each.facts, top1=None)) for each in group)
            for group in invented.groups
        ),
    )
    draw(blind, tmp_path / "one.png")
    with Image.open(tmp_path / "both.png") as both, Image.open(tmp_path / "one.png") as one:
        assert (both.format, one.format) == ("PNG", "PNG")
        assert both.width > 1.5 * one.width


def test_a_picture_can_be_svg_and_says_what_it_shows(invented, tmp_path):
    draw(invented, tmp_path / "a.svg")
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.tag.endswith("svg")


def test_where_nothing_is_known_to_draw_against_that_is_said(invented, tmp_path):
    dark = replace(
        invented, facts=tuple(replace(each, top1=None, macs=None) for each in invented.facts)
    )
    with pytest.raises(UsageError) as caught:
        draw(dark, tmp_path / "a.png")
    assert caught.value.message == (
        f"nothing to draw in {tmp_path / 'a.png'}: neither MACs nor an accuracy is known of any "
        "subject"
    )
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(UsageError, match="nothing to draw"):
        check_outputs(["a.onnx", "b.onnx"], tmp_path / "a.png", None)


def test_files_that_cannot_be_written_are_refused_before(tmp_path):
    with pytest.raises(UsageError) as caught:
        check_outputs(["small"], tmp_path / "a.pdf", None)
    assert caught.value.message == f"--plot {tmp_path / 'a.pdf'} is neither a .png nor a .svg file"
    assert caught.value.hint == f"name it {tmp_path / 'a.png'}"
    with pytest.raises(UsageError, match="is a directory"):
        check_outputs(["small"], None, tmp_path)


def test_both_files_are_written(invented, tmp_path):
    write_outputs(invented, plot=tmp_path / "a.svg", table=tmp_path / "a.csv")
    assert {each.name for each in tmp_path.iterdir()} == {"a.svg", "a.csv"}

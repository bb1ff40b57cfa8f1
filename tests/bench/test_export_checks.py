"""Nothing wrong, half written or unread is left where an export was to be."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from exports import PLAIN_READER, SMALL, Linear, registry_with, write_plainly

from ap_bench.exporting.checking import answers
from ap_bench.exporting.export import export
from ap_core.contracts import ExportRequest
from ap_core.errors import ModelError, PluginError, RunError, UsageError
from ap_core.exported import batches_for
from ap_core.pipeline.progress import Silent

WAIT = 120


class Listener(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, text, *, hint=""):
        self.warnings.append(text)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "plain_reader.py").write_text(PLAIN_READER)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return "plain_reader"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def written(write, place, *, reader, network=None, force=False, progress=None, **options):
    return export(
        network or Linear(), to="plain", output=place / "net.npz", input_size=SMALL, force=force,
        registry=registry_with(write, reader=reader), progress=progress or Silent(), **options,
    )  # fmt: skip


def test_a_plugins_format_is_written_and_checked_like_ours(place, reader):
    done = written(write_plainly, place, reader=reader)
    assert done.path == place / "net.npz"
    assert done.difference is not None
    assert done.difference < 1e-6
    assert (done.to, done.weights, done.run) == ("plain", "live", None)
    assert done.about["macs"] == 240
    assert done.about["params"] == 245
    assert done.bytes == (place / "net.npz").stat().st_size


def test_the_network_is_left_as_it_was(place, reader):
    network = Linear().train().double()
    written(write_plainly, place, reader=reader, network=network)
    assert network.training
    assert network.fc.weight.dtype is torch.float64


def test_other_weights_are_found_and_what_was_there_before_stays(place, reader):
    def write_others(module, request, path):
        with torch.no_grad():
            module.fc.weight[2, 5] += 0.1
        write_plainly(module, request, path)

    (place / "net.npz").write_bytes(b"of yesterday")
    with pytest.raises(ModelError, match="does not compute what the network does") as caught:
        written(write_others, place, reader=reader, force=True)
    assert "and fp32 allows 0.0001; it was not kept" in caught.value.message
    assert [path.name for path in place.iterdir()] == ["net.npz"]
    assert (place / "net.npz").read_bytes() == b"of yesterday"


def test_an_output_that_is_no_number_is_found(place, reader):
    def write_infinite(module, request, path):
        with torch.no_grad():
            module.fc.bias.fill_(float("nan"))
        write_plainly(module, request, path)

    with pytest.raises(ModelError, match="outputs differ by inf"):
        written(write_infinite, place, reader=reader)
    assert not list(place.iterdir())


def test_a_file_that_cannot_be_read_again_is_not_kept(place, reader):
    def write_half(module, request, path):
        write_plainly(module, request, path)
        path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(ModelError, match=r"cannot be run: .*File is not a zip file"):
        written(write_half, place, reader=reader)
    assert not list(place.iterdir())


def test_a_format_without_a_reader_is_said_not_to_be_checked(place):
    listener = Listener()
    done = written(write_plainly, place, reader="", progress=listener)
    assert done.difference is None
    assert listener.warnings == ["NOT CHECKED: the format plain has no reader"]


def test_an_exporter_that_fails_names_its_plugin_and_leaves_nothing(place, reader):
    def fail(module, request, path):
        path.write_bytes(b"half")
        raise LookupError("no such layer")

    with pytest.raises(PluginError, match=r"'plain' of ap-third .* failed: LookupError: no such"):
        written(fail, place, reader=reader)
    assert not list(place.iterdir())


def test_an_interrupt_leaves_nothing(place, reader):
    def interrupted(module, request, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(interrupted, place, reader=reader)
    assert not list(place.iterdir())


def test_a_kill_in_the_middle_leaves_no_half_file(place):
    code = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from exports import SMALL, Linear, registry_with
        from ap_bench.exporting.export import export

        def write_half(module, request, path):
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

        place = {str(place / "net.npz")!r}
        export(Linear(), to="plain", output=place, input_size=SMALL,
               registry=registry_with(write_half))
    """)
    done = subprocess.run([sys.executable, "-c", code], timeout=WAIT, check=False)
    assert done.returncode == -9
    (left,) = place.iterdir()
    assert left.name.startswith(".net.npz.")
    assert left.name.endswith(".tmp")


def test_a_file_that_is_there_is_replaced_only_if_told(place, reader):
    (place / "net.npz").write_bytes(b"of yesterday")
    with pytest.raises(RunError, match=r"net\.npz is there already") as caught:
        written(write_plainly, place, reader=reader)
    assert caught.value.hint == "replace it with --force, or name another: --output"
    assert (place / "net.npz").read_bytes() == b"of yesterday"
    assert written(write_plainly, place, reader=reader, force=True).bytes > 100


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=f"cannot write {tmp_path}/file: Not a directory") as caught:
        written(write_plainly, tmp_path / "file", reader="")
    assert caught.value.hint == "name a path where no file is in the way"
    (tmp_path / "net.npz").mkdir()
    with pytest.raises(RunError, match=r"net\.npz is a directory"):
        written(write_plainly, tmp_path, reader="")


class Pairs(Linear):
    def forward(self, images):
        if len(images) != 2:
            raise ValueError("two at a time")
        return super().forward(images)


class Listed(Linear):
    def forward(self, images):
        return [super().forward(images)]


def test_a_network_that_takes_one_number_of_images_is_told_how_to_be_exported():
    with pytest.raises(ModelError, match=r"cannot be run on images \(1, 3, 4, 4\): two") as caught:
        answers(Pairs(), batches_for(ExportRequest(input_size=SMALL)))
    assert caught.value.hint == "name a number of images that it takes: --batch-size"
    (found,) = answers(Pairs(), batches_for(ExportRequest(input_size=SMALL, batch_size=2)))
    assert found.shape == (2, 5)


def test_a_network_that_gives_no_logits_is_refused():
    with pytest.raises(ModelError, match="the Listed gives a list, no tensor"):
        answers(Listed(), batches_for(ExportRequest(input_size=SMALL)))


@pytest.mark.parametrize("option", ["weights", "checkpoint", "num_classes", "seed"])
def test_what_a_live_network_knows_itself_cannot_be_given(option, place):
    values = {"weights": "random", "checkpoint": "a.pth", "num_classes": 3, "seed": 1}
    with pytest.raises(UsageError, match="cannot be given: the network is there already"):
        written(write_plainly, place, reader="", **{option: values[option]})

"""`ap eval` and its Python API: known answers, baselines, processes, and what is refused."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from accelerate import Accelerator
from PIL import Image
from runs import ap, pruned_run, torchrun
from torch import nn

from ap_core import load_model, prune
from ap_core import plugin as ap_core_plugin
from ap_core.contracts import (
    Architecture,
    DataRequest,
    LoadedModel,
    ModelRequest,
    Split,
    WeightsPolicy,
)
from ap_core.errors import (
    CheckpointError,
    DataError,
    ModelError,
    RunError,
    UnknownNameError,
    UsageError,
)
from ap_core.pipeline.progress import Silent
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import DatasetOffer, ModelAdapterOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_models import plugin as ap_models_plugin
from ap_models.adapters.resnet import ResNetAdapter
from ap_train import plugin as ap_train_plugin
from ap_train.data.digits import open_digits
from ap_train.data.folder import read_folder
from ap_train.data.splits import draw
from ap_train.evaluation.evaluate import Own, evaluate
from ap_train.evaluation.intervals import paired_share, share
from ap_train.evaluation.options import EvalOptions
from ap_train.finetuning.finetune import finetune
from ap_train.finetuning.options import FinetuneOptions
from ap_train.measuring.across import answers_across
from ap_train.runs.seen import seen_before
from ap_train.training.presets import options_of

CLASSES = 7
IMAGES = 25
"""Of every class."""

UNPUBLISHED = "mobilenetv4_conv_small_035"
"""A network whose weights nobody has published."""


class Table(nn.Module):
    """Answers by a table: the grey of an image is its number."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.table[(images.mean((1, 2, 3)) * 255).round().long()]


class Listener(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str, *, hint: str = "") -> None:
        self.warnings.append(text)


PLAIN = Architecture(
    adapter="generic", name="live:Table", num_classes=CLASSES, input_size=(3, 8, 8),
    preprocessing={"mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "nearest"},
)  # fmt: skip


@pytest.fixture(scope="module")
def greys(tmp_path_factory) -> Path:
    """Images whose grey, of 255, is their number in the folder's order."""
    root = tmp_path_factory.mktemp("greys")
    for number in range(CLASSES * IMAGES):
        place = root / f"class{number // IMAGES}"
        place.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (number,) * 3).save(place / f"{number:03}.png")
    return root


@pytest.fixture(scope="module")
def table(greys) -> torch.Tensor:
    """Logits of every image; the true class is somewhat ahead of the others."""
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((CLASSES * IMAGES, CLASSES))
    logits[np.arange(len(logits)), read_folder(greys).labels] += 1.5
    return torch.tensor(logits, dtype=torch.float32)


def of_table(greys: Path, table: torch.Tensor, *, own: Own | None = None, **more: object):
    """Evaluation of a network that answers by the table."""
    options = EvalOptions(data=str(greys), held_out=40, **more)
    return evaluate(Table(table), options, own=own or Own(architecture=PLAIN))


def test_answers_that_are_known_give_the_figures_that_they_should(greys, table) -> None:
    found = of_table(greys, table, batch_size=7)
    answers = found.network.answers
    request = DataRequest(name="folder", root=greys, architecture=PLAIN, held_out=40)
    registry = Registry.from_entry_points()
    report = registry.datasets["folder"].make()(request).splits.of(Split.REPORT)
    logits, labels = table[report], torch.tensor(read_folder(greys).labels[report])
    assert np.array_equal(answers.labels, labels.numpy())
    ranked = logits.argsort(dim=1, descending=True)
    first = (ranked[:, 0] == labels).numpy()
    fifth = (ranked[:, :5] == labels[:, None]).any(1).numpy()
    assert 0.4 < first.mean() < fifth.mean() < 1
    accuracy = found.network.accuracy
    assert accuracy.images == 40
    assert accuracy.top1 == share(first)
    assert accuracy.top5 == share(fifth)
    loss = nn.functional.cross_entropy(logits, labels)
    assert accuracy.loss.value == pytest.approx(float(loss), abs=1e-6)
    assert accuracy.loss.low < accuracy.loss.value < accuracy.loss.high
    assert found.baseline is None
    assert found.difference is None


def test_a_baseline_is_compared_with_image_by_image(greys, table) -> None:
    worse = table + 0.5 * torch.randn(table.shape, generator=torch.Generator().manual_seed(0))
    own = Own(architecture=PLAIN, baseline=Table(table))
    found = of_table(greys, worse, own=own)
    assert found.baseline is not None
    before, after = found.baseline.answers, found.network.answers
    assert np.array_equal(before.labels, after.labels)
    assert found.difference is not None
    assert found.difference.top1 == paired_share(before.top1, after.top1)
    assert found.difference.loss.value == pytest.approx((after.losses - before.losses).mean())
    assert found.difference.top1.value == pytest.approx(
        found.network.accuracy.top1.value - found.baseline.accuracy.top1.value
    )


def test_a_network_beside_itself_differs_in_nothing(greys, table) -> None:
    network = Table(table)
    found = of_table(greys, table, own=Own(architecture=PLAIN, baseline=network))
    assert found.difference is not None
    assert found.difference.loss.value == found.difference.loss.low == 0
    assert found.difference.top1.value == 0


def test_classes_sum_up_to_the_whole(greys, table) -> None:
    found = of_table(greys, table, own=Own(architecture=PLAIN, baseline=Table(table)))
    classes = found.by_class()
    assert [each.label for each in classes] == list(range(CLASSES))
    assert sum(each.images for each in classes) == 40
    hits = sum(each.images * each.top1.value for each in classes)
    assert hits == pytest.approx(40 * found.network.accuracy.top1.value)
    assert all(each.top1 == each.baseline for each in classes)


def test_a_class_without_images_has_no_accuracy(greys, table) -> None:
    found = evaluate(
        Table(table), EvalOptions(data=str(greys), held_out=3), own=Own(architecture=PLAIN)
    )
    empty = [each for each in found.by_class() if not each.images]
    assert len(empty) >= CLASSES - 3
    assert all(each.top1 is None for each in empty)


def test_either_split_can_be_measured_and_the_one_that_was_chosen_on_is_said(greys, table) -> None:
    listener = Listener()
    options = EvalOptions(data=str(greys), held_out=40, split="held_out")
    found = evaluate(Table(table), options, own=Own(architecture=PLAIN), progress=listener)
    assert any("may have been chosen on these images" in note for note in listener.notes)
    losses = of_table(greys, table).network.answers.losses
    assert not np.array_equal(found.network.answers.losses, losses)


def test_a_live_network_keeps_its_mode_and_the_callers_accelerator_is_used(architecture) -> None:
    network = timm.create_model("test_convnext", num_classes=10).train()
    own = Own(architecture=architecture, accelerator=Accelerator(cpu=True))
    found = evaluate(network, EvalOptions(data="digits", held_out=50), own=own)
    assert network.training
    assert found.main
    assert found.network.weights == "live"
    assert len(found.network.answers.labels) == 50


def test_what_is_not_given_of_a_live_network_is_read_off_it() -> None:
    network = timm.create_model("test_convnext", num_classes=10)
    found = evaluate(network, EvalOptions(data="digits", held_out=20, input_size=(3, 32, 32)))
    assert found.network.model == "live:ConvNeXt"


def test_the_number_of_images_in_a_batch_changes_nothing_that_counts(architecture) -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    own = Own(architecture=architecture)
    one, other = (
        evaluate(network, EvalOptions(data="digits", batch_size=size), own=own).network.answers
        for size in (7, 500)
    )
    assert np.array_equal(one.ranks, other.ranks)
    assert np.allclose(one.losses, other.losses, atol=1e-5)


def test_progress_counts_every_image(architecture, digits) -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    told: list[int] = []
    answers_across(
        network, digits.split(Split.REPORT), architecture, Accelerator(cpu=True),
        batch_size=100, advance=told.append,
    )  # fmt: skip
    assert told == [100, 100, 100, 59]


class Second(Accelerator):
    """The main one of two processes, without the other."""

    num_processes = 2

    def reduce(self, tensor: torch.Tensor, reduction: str = "mean", **_more: object):
        return tensor


def test_progress_counts_every_image_once_on_two_processes(architecture, digits) -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    told: list[int] = []
    answers_across(
        network, digits.split(Split.REPORT), architecture, Second(cpu=True),
        batch_size=100, advance=told.append,
    )  # fmt: skip
    assert told == [200, 159]


@pytest.fixture(scope="module")
def run(digits, architecture, tmp_path_factory) -> Path:
    return pruned_run("test_resnet", digits, architecture, tmp_path_factory.mktemp("evaluated"))


def test_a_run_is_measured_on_its_own_report_split_beside_its_uncut_network(run) -> None:
    found = evaluate(run)
    record = RunDirectory.open(run).record()
    assert found.split is Split.REPORT
    assert found.data["splits"] == record.data["splits"]
    assert found.baseline is not None
    assert found.baseline.weights == "checkpoint"
    assert found.network.accuracy.top1.value == pytest.approx(record.result.quality.top1)
    assert found.baseline.accuracy.top1.value == pytest.approx(record.result.baseline.top1)


def test_an_uncut_network_that_cannot_be_had_is_said_to_be_missing(run, tmp_path) -> None:
    shutil.copytree(run, tmp_path / "run")
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace("trained.safetensors", "gone.safetensors"))
    listener = Listener()
    found = evaluate(tmp_path / "run", progress=listener)
    assert found.baseline is None
    assert any("no comparison with the uncut network" in note for note in listener.notes)


def test_the_network_of_a_run_is_shown_images_of_the_runs_size(run) -> None:
    whole = evaluate(run, EvalOptions(baseline="none"))
    found = evaluate(load_model(run), EvalOptions(data="digits"))
    assert np.array_equal(found.network.answers.ranks, whole.network.answers.ranks)


def test_images_that_are_left_out_are_told_of(greys, table, tmp_path) -> None:
    shutil.copytree(greys, tmp_path / "greys")
    broken = sorted((tmp_path / "greys").rglob("*.png"))
    for path in broken:
        if path.stem in ("003", "030"):
            path.write_bytes(b"no image")
    listener = Listener()
    options = EvalOptions(data=str(tmp_path / "greys"), on_corrupt="skip")
    own = Own(architecture=PLAIN)
    found = evaluate(Table(table), options, own=own, progress=listener)
    skipped = found.data["skipped"]
    assert skipped
    assert f"{len(skipped)} image" in listener.warnings[0]
    assert skipped[0] in listener.warnings[0]


def test_a_run_has_the_classes_that_it_has(run) -> None:
    with pytest.raises(DataError, match="the data have 32 classes, the network 10") as caught:
        evaluate(run, EvalOptions(data="glyphs"))
    assert "--num-classes" not in caught.value.hint


def test_a_run_without_comparison_or_beside_another(run) -> None:
    assert evaluate(run, EvalOptions(baseline="none")).baseline is None
    found = evaluate(run, EvalOptions(baseline=str(run)))
    assert found.baseline is not None
    assert found.baseline.run == run
    assert found.difference is not None
    assert found.difference.loss.value == 0


def test_a_run_of_random_weights_is_measured_under_a_warning(tmp_path) -> None:
    prune(
        "test_resnet", num_classes=10, input_size=(3, 32, 32), weights="random", target_macs="60%",
        data="digits", calibration_batches=1, held_out=50, output=tmp_path / "run",
        progress=Silent(),
    )  # fmt: skip
    listener = Listener()
    found = evaluate(tmp_path / "run", progress=listener)
    assert "RANDOM WEIGHTS" in listener.warnings[0]
    assert found.baseline is None
    assert "its weights are random" in listener.notes[0]
    assert len(found.network.answers.labels) == 50


def test_a_trained_run_is_measured_on_what_its_training_left_to_report_on(run, tmp_path) -> None:
    shutil.copytree(run, tmp_path / "run")
    settings = {"batch_size": 32, "max_steps": 3, "min_scale": 0.8, "lr": 1e-2}
    options = FinetuneOptions(training=options_of("short", settings))
    trained = finetune(tmp_path / "run", options, progress=Silent())
    listener = Listener()
    found = evaluate(tmp_path / "run", progress=listener)
    assert found.data == trained.training.data
    assert not listener.warnings
    assert found.network.weights == "fine-tuned"
    assert found.network.accuracy.top1.value == pytest.approx(trained.training.after.top1)
    before = evaluate(tmp_path / "run", EvalOptions(pruned_only=True))
    assert before.network.accuracy.top1.value == pytest.approx(trained.training.before.top1)
    assert before.network.weights == "checkpoint"
    assert not np.array_equal(before.network.answers.losses, found.network.answers.losses)


def test_images_that_the_run_has_seen_are_warned_of(run) -> None:
    listener = Listener()
    found = evaluate(run, EvalOptions(held_out=30, baseline="none"), progress=listener)
    assert len(found.network.answers.labels) == 30
    assert listener.warnings == ["the run was trained, or chosen, on 30 of the 30 images"]


def test_images_that_changed_since_the_run_are_warned_of(run, tmp_path) -> None:
    shutil.copytree(run, tmp_path / "run")
    record = tmp_path / "run" / "run.json"
    held = RunDirectory.open(run).record().data["splits"]["train"]["sha256"]
    record.write_text(record.read_text().replace(held, "0" * 64))
    listener = Listener()
    evaluate(tmp_path / "run", EvalOptions(baseline="none"), progress=listener)
    assert "the images are not those that the run kept" in listener.warnings[0]


def test_fewer_images_of_those_that_are_set_apart_are_no_cause_for_alarm(digits) -> None:
    images = replace(digits.images, reserved=np.arange(1500, 1797))
    own = replace(digits.request, held_out=None)
    before = replace(digits, splits=draw(images.labels, images.reserved, own), images=images)
    fewer = replace(own, held_out=50)
    source = replace(before, splits=draw(images.labels, images.reserved, fewer), request=fewer)
    recorded = before.record()
    assert seen_before(source, Split.REPORT, own, recorded) == ""
    assert seen_before(source, Split.HELD_OUT, own, recorded) == ""
    assert "not those" in seen_before(source, Split.REPORT, replace(own, seed=1), recorded)


def test_a_network_that_a_function_made_is_measured_under_a_warning(monkeypatch, tmp_path) -> None:
    (tmp_path / "made.py").write_text(
        "import timm\ndef small():\n    return timm.create_model('test_resnet', num_classes=10)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    listener = Listener()
    options = EvalOptions(data="digits", held_out=20, input_size=(3, 32, 32))
    found = evaluate("made:small", options, progress=listener)
    assert found.network.weights == "live"
    assert "nothing tells whether it trained them" in listener.warnings[0]


def test_a_run_can_be_measured_on_other_images(run, tmp_path) -> None:
    generator = np.random.default_rng(0)
    for label in range(10):
        (tmp_path / "own" / str(label)).mkdir(parents=True)
        for number in range(6):
            pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / str(label) / f"{number}.png")
    listener = Listener()
    found = evaluate(run, EvalOptions(data=str(tmp_path / "own")), progress=listener)
    assert found.data["root"] == str(tmp_path / "own")
    assert not listener.warnings


def test_random_weights_of_a_model_are_refused_unless_asked_for() -> None:
    size = {"num_classes": 10, "input_size": (3, 32, 32), "data": "digits", "held_out": 20}
    with pytest.raises(
        CheckpointError, match=f"no weights are published for .*{UNPUBLISHED}"
    ) as caught:
        evaluate(UNPUBLISHED, EvalOptions(**size))
    assert "--weights random" in caught.value.hint
    found = evaluate(UNPUBLISHED, EvalOptions(**size, weights="random"))
    assert found.network.weights == "random"


def test_a_model_with_a_checkpoint_is_measured_beside_another(run) -> None:
    trained = run.parent / "trained.safetensors"
    size = {"num_classes": 10, "input_size": (3, 32, 32), "data": "digits"}
    options = EvalOptions(checkpoint=trained, baseline=str(run), **size)
    found = evaluate("test_resnet", options)
    theirs = evaluate(run)
    assert found.baseline is not None
    assert theirs.baseline is not None
    assert np.array_equal(found.network.answers.ranks, theirs.baseline.answers.ranks)
    assert np.array_equal(found.baseline.answers.ranks, theirs.network.answers.ranks)
    named = EvalOptions(
        checkpoint=trained, baseline="test_resnet", baseline_checkpoint=trained, **size
    )
    same = evaluate("test_resnet", named)
    assert same.difference is not None
    assert same.difference.loss.value == 0


class Stream:
    """A data source that gives batches only."""

    def __init__(self, request: DataRequest) -> None:
        self._digits = open_digits(request)
        self.num_classes = 10
        self.calibration, self.held_out = self._digits.calibration, self._digits.held_out
        self.report, self.record = self._digits.report, self._digits.record


class Careless(ResNetAdapter):
    """Gives random weights where published ones were asked for."""

    def load(self, request: ModelRequest) -> LoadedModel:
        return super().load(replace(request, weights=WeightsPolicy.RANDOM))


class Third:
    @hookimpl
    def ap_datasets(self) -> list[DatasetOffer]:
        return [DatasetOffer(name="stream", summary="", load=lambda: Stream)]

    @hookimpl
    def ap_model_adapters(self) -> list[ModelAdapterOffer]:
        return [ModelAdapterOffer(name="careless", summary="", load=Careless, priority=99)]


@pytest.fixture
def third() -> Registry:
    plugins = (ap_core_plugin, ap_models_plugin, ap_train_plugin, Third())
    return Registry.from_plugins(
        [
            Plugin(
                owner=Owner(distribution=str(n), version="1", plugin=str(n)), implementation=each
            )
            for n, each in enumerate(plugins)
        ]
    )


def test_random_weights_that_an_adapter_gives_of_itself_are_refused(third) -> None:
    options = EvalOptions(data="digits", num_classes=10, input_size=(3, 32, 32))
    with pytest.raises(UsageError, match="the weights of test_resnet are random") as caught:
        evaluate("test_resnet", options, registry=third)
    assert "--weights random" in caught.value.hint


def test_images_that_come_in_batches_only_will_do(architecture, third) -> None:
    network, other = (timm.create_model("test_resnet", num_classes=10) for _ in range(2))
    own = Own(architecture=architecture, baseline=other)
    found = evaluate(network, EvalOptions(data="stream"), own=own, registry=third)
    by_number = evaluate(network, EvalOptions(data="digits"), own=own)
    assert np.array_equal(found.network.answers.ranks, by_number.network.answers.ranks)


def test_batches_prepared_for_one_network_are_not_shown_to_another(
    architecture, third, run
) -> None:
    other = replace(architecture, preprocessing={"mean": [0.1] * 3, "std": [0.2] * 3})
    network = timm.create_model("test_resnet", num_classes=10)
    options = EvalOptions(data="stream", baseline=str(run))
    with pytest.raises(DataError, match="want images prepared in different ways"):
        evaluate(network, options, own=Own(architecture=other), registry=third)


def test_the_document_of_two_processes_is_that_of_one(run) -> None:
    asked = ("eval", run, "--per-class", "--json", "--batch-size", 32)
    alone, shared = ap(*asked), torchrun(2, *asked)
    assert alone.returncode == 0, alone.stderr
    assert shared.returncode == 0, shared.stderr
    document = json.loads(alone.stdout)
    assert document["images"] == 359
    assert sum(each["images"] for each in document["classes"]) == 359
    assert [each["name"] for each in document["classes"]] == list("0123456789")
    assert shared.stdout == alone.stdout


def test_processes_without_a_batch_of_their_own_do_no_harm(run) -> None:
    asked = ("eval", run, "--json", "--batch-size", 500, "--baseline", "none")
    alone, shared = ap(*asked), torchrun(2, *asked)
    assert json.loads(alone.stdout)["images"] == 359
    assert shared.stdout == alone.stdout, shared.stderr


def test_the_document_holds_figures_with_their_intervals(run) -> None:
    document = json.loads(ap("eval", run, "--json").stdout)
    assert document["schema"] == 1
    assert document["confidence"] == 0.95
    assert document["split"] == "report"
    assert document["run"] == str(run)
    assert document["data"]["name"] == "digits"
    assert "classes" not in document
    for part in (document["accuracy"], document["baseline"]["accuracy"], document["difference"]):
        assert set(part) == {"top1", "top5", "loss"}
        for figure in part.values():
            low, high = figure["interval"]
            assert low <= figure["value"] <= high


def test_the_tables_show_the_same_figures(run) -> None:
    done = ap("eval", run, "--per-class", COLUMNS="200")
    document = json.loads(ap("eval", run, "--json").stdout)
    assert done.returncode == 0, done.stderr
    title, heads, first, *rest = done.stdout.splitlines()
    assert title.endswith("on 359 images of the report split of digits")
    assert heads.split()[:3] == ["run,", "pruned", "95"]
    assert "uncut" in heads
    assert "difference" in heads
    figure, baseline = document["accuracy"]["top1"], document["baseline"]["accuracy"]["top1"]
    assert f"{100 * figure['value']:.2f} %" in first
    low, high = figure["interval"]
    assert f"{100 * low:.2f} to {100 * high:.2f}" in first
    assert f"{100 * baseline['value']:.2f} %" in first
    assert f"{100 * (figure['value'] - baseline['value']):+.2f}" in first
    assert sum(line.split()[0] in set("0123456789") for line in rest if line.split()) == 10


@pytest.mark.parametrize(
    ("subject", "options", "error", "words"),
    [
        ("test_resnet", {}, UsageError, "no images to evaluate test_resnet on"),
        ("runs/mistyped", {}, UnknownNameError, "'runs/mistyped' is neither a run directory nor"),
        ("resnet5o", {"data": "digits"}, UnknownNameError, "neither a run directory nor a model"),
        ("test_resnet", {"data": "digits", "pruned_only": True}, UsageError, "resnet is no run"),
        (
            "test_resnet",
            {"data": "digits", "num_classes": 7, "weights": "random"},
            DataError,
            "the data have 10 classes, the network 7",
        ),
        (
            "test_resnet",
            {
                "data": "digits", "num_classes": 10, "weights": "random",
                "baseline_checkpoint": Path("a"),
            },
            UsageError,
            "--baseline-checkpoint cannot be given: no baseline",
        ),
        ("test_resnet", {"data": "digts"}, UnknownNameError, "digts"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_for_a_model_is_refused(subject, options, error, words) -> None:
    size = {"input_size": (3, 32, 32)}
    needed = {"num_classes": 10, "weights": "random"} if subject == "test_resnet" else {}
    with pytest.raises(error, match=words):
        evaluate(subject, EvalOptions(**(needed | size | options)))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"seed": 0}, UsageError, "--seed cannot be given: .* is a run, and knows its own"),
        ({"num_classes": 10}, UsageError, "--num-classes cannot be given"),
        ({"weights": "random"}, UsageError, "--weights cannot be given"),
        ({"baseline": "resnt18"}, UnknownNameError, "'resnt18' is neither a run directory nor"),
        ({"data": "glyphs"}, DataError, "the data have 32 classes, the network 10"),
        ({"data": "nowhere/at/all"}, DataError, "there is no folder"),
    ],
)
def test_what_makes_no_sense_for_a_run_is_refused(run, options, error, words) -> None:
    with pytest.raises(error, match=words):
        evaluate(run, EvalOptions(**options))


def test_a_baseline_of_other_classes_or_channels_is_refused(run, tmp_path) -> None:
    for size, classes, words in (
        ((3, 32, 32), 7, "knows 7 classes, the network 10"),
        ((1, 32, 32), 10, "sees 1 channels, the network 3"),
    ):
        place = tmp_path / str(classes)
        prune(
            "test_convnext", num_classes=classes, input_size=size, weights="random",
            target_macs="60%", output=place,
        )  # fmt: skip
        with pytest.raises(UsageError, match=words), pytest.warns(UserWarning, match="RANDOM"):
            evaluate(run, EvalOptions(baseline=str(place)))
        options = EvalOptions(baseline=str(place), baseline_checkpoint=tmp_path)
        with pytest.raises(UsageError, match="the baseline is a run"):
            evaluate(run, options)
    with pytest.warns(UserWarning, match="RANDOM"), pytest.raises(UsageError, match="no images to"):
        evaluate(tmp_path / "7")


def test_a_directory_that_holds_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(RunError, match=r"holds no run: there is no run\.json"):
        evaluate(tmp_path, EvalOptions(data="digits"))


def test_labels_that_the_network_does_not_know_and_outputs_that_are_no_numbers(
    greys, table
) -> None:
    few = Own(architecture=replace(PLAIN, num_classes=CLASSES))
    with pytest.raises(DataError, match="labels reach from"):
        of_table(greys, table[:, : CLASSES - 1], own=few)
    with pytest.raises(ModelError, match="not a number"):
        of_table(greys, torch.full_like(table, float("nan")))


def test_no_images_are_an_error_and_not_a_figure(architecture, digits) -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    nothing = digits.split(Split.REPORT).over(np.empty(0, np.int64))
    with pytest.raises(DataError, match="no images to evaluate on"):
        answers_across(network, nothing, architecture, Accelerator(cpu=True), batch_size=8)


def test_options_that_are_wrong_are_named() -> None:
    with pytest.raises(UsageError, match="the option 'batch_size' is wrong"):
        EvalOptions.parse({"batch_size": 0})


@pytest.mark.parametrize("command", ["demo", "evaluate", "finetune"])
def test_help_is_quick_since_no_command_imports_what_is_heavy(command: str) -> None:
    code = (
        f"import sys, ap_train.plugin, ap_train.cli.{command}, ap_train.training.presets\n"
        "print(*sorted({'torch', 'timm', 'accelerate', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

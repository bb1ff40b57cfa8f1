"""`ap run`: recipes from beginning to end, and what is not done again."""

import json
from pathlib import Path

import pytest
from runs import ap, assert_refused, pruned_run, torchrun

from ap_core.errors import UnknownNameError, UsageError
from ap_train.recipes.recipe import RECIPES, read_recipe
from ap_train.training.presets import PRESETS

RECIPE = """
title = "a small network on digits"

[prune]
model = "test_convnext"
num_classes = 10
input_size = [3, 32, 32]
checkpoint = "{checkpoint}"
target_macs = "50%"
data = "digits"
calibration_batches = 2
keep = ["stem*"]

[finetune]
preset = "short"
batch_size = 32
min_scale = 0.8
max_steps = 4
workers = 0
"""


@pytest.fixture(scope="session")
def trained(digits, architecture, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("trained")
    pruned_run("test_convnext", digits, architecture, place)
    return place / "trained.safetensors"


@pytest.fixture
def recipe(trained: Path, tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.format(checkpoint=trained))
    return path


def test_a_recipe_goes_through_every_stage_once(recipe: Path, tmp_path: Path) -> None:
    done = ap("run", recipe, "--output", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    stages = ("prune", "finetune", "evaluate", "benchmark")
    assert document["stages"] == dict.fromkeys(stages, "done")
    assert document["evaluation"]["images"] == 359
    assert document["evaluation"]["baseline"] is not None
    assert document["benchmark"]["whole"]["latency"] > 0
    assert (tmp_path / "run" / "report.html").exists()
    again = ap("run", recipe, "--output", tmp_path / "run", "--json")
    repeated = json.loads(again.stdout)
    assert repeated["stages"] == dict.fromkeys(stages, "there already")
    assert repeated["benchmark"] == document["benchmark"]
    assert repeated["evaluation"] == document["evaluation"]
    shown = ap("run", recipe, "--output", tmp_path / "run").stdout
    assert "there already" in shown
    assert "latency, ms" in shown
    assert "95 %" in shown
    words = "was trained with other options"
    assert_refused(
        1, words, "run", recipe, "--output", tmp_path / "run", "--set", "finetune.lr=1e-3"
    )  # fmt: skip
    words = "holds a run of other options: target_macs is 50%, not 40%"
    assert_refused(
        1, words, "run", recipe, "--output", tmp_path / "run", "--set", "prune.target_macs=40%"
    )  # fmt: skip


def test_a_shipped_recipe_goes_through_every_stage_on_images_of_full_size(tmp_path: Path) -> None:
    few = (
        "prune.weights=random", "prune.num_classes=32", "prune.batch_size=4", "prune.held_out=32",
        "prune.calibration_batches=1", "finetune.from_scratch=true", "finetune.max_steps=1",
        "finetune.batch_size=4", "finetune.warmup_epochs=0",
    )  # fmt: skip
    arguments = [word for each in few for word in ("--set", each)]
    done = ap(
        "run", "deit-tiny-0.62g", "--data", "glyphs", "--output", tmp_path / "run", *arguments,
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["stages"].values()) == {"done"}
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert 0 <= 620_000_000 - record["result"]["macs"] <= 620_000
    assert record["architecture"]["input_size"] == [3, 224, 224]


@pytest.mark.parametrize("name", RECIPES.names())
def test_shipped_recipes_are_whole(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.title
    assert "arXiv" in recipe.source
    options, training = recipe.prune_options(), recipe.finetune_options()
    assert options.weights == "pretrained"
    assert options.target_macs.endswith("G")
    assert training is not None
    assert training.training.preset in PRESETS


def test_what_is_set_goes_over_the_recipe() -> None:
    recipe = read_recipe(
        "resnet50-2.06g",
        ["finetune.epochs=3", "prune.keep=['conv1']", "prune.importance=l1", "evaluate=false"],
    )
    training = recipe.finetune_options()
    assert training is not None
    assert training.training.epochs == 3
    assert training.training.lr == PRESETS["resnet"]["lr"]
    assert recipe.prune_options().strategy.keep == ("conv1",)
    assert recipe.prune_options().importance == "l1"
    assert not recipe.evaluate


@pytest.mark.parametrize(
    ("name", "overrides", "error", "words"),
    [
        ("resnet50", (), UnknownNameError, "unknown recipe 'resnet50'"),
        ("nowhere.toml", (), UsageError, "cannot be read"),
        ("resnet50-2.06g", ("epochs",), UsageError, "is not of the form"),
        ("resnet50-2.06g", ("title.x=1",), UsageError, "title is no table"),
        ("resnet50-2.06g", ("taste=1",), UsageError, "'taste' is wrong"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(name, overrides, error, words) -> None:
    with pytest.raises(error, match=words):
        read_recipe(name, overrides)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("prune.modell=x", "'strategy.modell' is wrong"),
        ("finetune.epoch=3", "'epoch' is wrong"),
        ("finetune.preset=resnt", "unknown preset"),
    ],
)
def test_settings_that_do_not_exist_are_refused(override: str, words: str) -> None:
    recipe = read_recipe("resnet50-2.06g", [override])
    with pytest.raises(UsageError, match=words):
        (recipe.prune_options(), recipe.finetune_options())


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[prune")
    with pytest.raises(UsageError, match="is no TOML"):
        read_recipe(str(tmp_path / "bad.toml"))


def test_two_processes_follow_a_recipe_together(recipe: Path, tmp_path: Path) -> None:
    done = torchrun(2, "run", recipe, "--output", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["stages"].values()) == {"done"}
    assert document["evaluation"]["images"] == 359
    training = json.loads((tmp_path / "run" / "finetune" / "training.json").read_text())
    assert training["processes"] == 2
    again = torchrun(2, "run", recipe, "--output", tmp_path / "run", "--json")
    assert set(json.loads(again.stdout)["stages"].values()) == {"there already"}

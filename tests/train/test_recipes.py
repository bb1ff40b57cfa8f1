"""`ap run`: recipes from beginning to end, and what is not done again."""

import io
import json
import shutil
from pathlib import Path

import pytest
from runs import ap, assert_refused, pruned_run, save_noise, torchrun
from safetensors.torch import load_file, save_file

from ap_core.cli.main import run
from ap_core.console import Console
from ap_core.errors import ModelError, UnknownNameError, UsageError
from ap_train.cli.recipe_view import show_recipe
from ap_train.pipeline import RecipeResult, run_recipe
from ap_train.recipes.recipe import RECIPES, read_recipe
from ap_train.recipes.wording import as_settings
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
        "finetune.batch_size=4", "finetune.warmup_epochs=0", "finetune.teacher=none",
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


SHORT = ("--set", "benchmark=false", "--set", "finetune.max_steps=1")


@pytest.fixture(scope="session")
def followed(trained: Path, tmp_path_factory) -> Path:
    """A directory with a checkpoint, a recipe, and the run that came of them."""
    place = tmp_path_factory.mktemp("followed")
    shutil.copy(trained, place / "trained.safetensors")
    (place / "small.toml").write_text(RECIPE.format(checkpoint=place / "trained.safetensors"))
    done = ap("run", place / "small.toml", "--output", place / "run", *SHORT)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def again(followed: Path, tmp_path: Path) -> Path:
    """The same in a place of its own, to be changed."""
    place = tmp_path / "again"
    shutil.copytree(followed, place)
    for document in (place / "small.toml", place / "run" / "run.json"):
        replace_in(document, str(followed), str(place))
    return place


def replace_in(path: Path, before: str, after: str) -> None:
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def follow(place: Path, *more: str) -> dict[str, str]:
    """What is done of each stage when the recipe is followed again."""
    out, err = io.StringIO(), io.StringIO()
    words = ["run", str(place / "small.toml"), "--output", str(place / "run"), *SHORT, *more]
    code = run([*words, "--json"], environment={"COLUMNS": "160"}, out=out, err=err)
    assert code == 0, err.getvalue()
    return json.loads(out.getvalue())["stages"]


def refused(place: Path, words: str) -> None:
    """See that the recipe is not followed again, and what is said of it."""
    command = ("run", place / "small.toml", "--output", place / "run", *SHORT)
    assert "name another directory with --output" in assert_refused(1, words, *command)


def test_other_weights_in_the_same_file_are_not_taken_for_those_that_were_pruned(
    again: Path,
) -> None:
    weights = load_file(again / "trained.safetensors")
    save_file({n: 2 * tensor for n, tensor in weights.items()}, again / "trained.safetensors")
    refused(again, "weights of the uncut network are not those that the run was pruned with")


@pytest.mark.parametrize("document", ["run.json", "finetune/training.json"])
def test_other_images_are_not_taken_for_those_that_a_stage_was_made_with(
    again: Path, document: str
) -> None:
    kept = json.loads((again / "run" / document).read_text())["data"]["splits"]
    replace_in(again / "run" / document, kept["train"]["sha256"], "0" * 64)
    refused(again, "the images are not those that")


def test_an_evaluation_names_all_that_it_depends_on(again: Path) -> None:
    document = again / "run" / "evaluation.json"
    inputs = json.loads(document.read_text())["inputs"]
    record = json.loads((again / "run" / "run.json").read_text())
    assert inputs["baseline"] == record["weights"]["sha256"]
    assert inputs["data"] == record["data"]
    assert inputs["split"] == "report"
    assert set(follow(again).values()) == {"there already"}
    for name in ("weights", "baseline"):
        replace_in(document, inputs[name], "0" * 64)
        assert follow(again)["evaluate"] == "done"
        assert json.loads(document.read_text())["inputs"] == inputs


def test_a_training_whose_report_was_not_written_is_ended(again: Path) -> None:
    (again / "run" / "report.html").unlink()
    (again / "run" / "finetune" / "state.safetensors").touch()
    assert follow(again)["finetune"] == "done"
    assert (again / "run" / "report.html").exists()
    assert follow(again)["finetune"] == "there already"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((), "the recipe trains, and names no images"),
        (("finetune.teacher=none", "finetune.distillation=soft"), "--distillation soft cannot be"),
    ],
)
def test_what_a_later_stage_would_refuse_is_refused_before_the_first(
    tmp_path: Path, settings: tuple[str, ...], words: str
) -> None:
    arguments = [word for each in settings for word in ("--set", each)]
    command = ("run", "resnet50-2.06g", "--output", tmp_path / "run", *arguments)
    assert_refused(2, words, *command)
    assert not (tmp_path / "run").exists()


def test_a_recipe_without_images_is_not_evaluated_in_silence(recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text().replace('data = "digits"\n', "")
    recipe.write_text(text[: text.index("[finetune]")])
    command = ("run", recipe, "--output", tmp_path / "run", "--set", "benchmark=false")
    words = "the recipe evaluates, and names no images"
    assert "--set evaluate=false" in assert_refused(2, words, *command)
    assert not (tmp_path / "run").exists()
    done = ap(*command, "--set", "evaluate=false", "--json")
    assert json.loads(done.stdout)["stages"] == {"prune": "done"}, done.stderr


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


def test_recipes_of_transformers_learn_from_the_teacher_of_their_source() -> None:
    training = read_recipe("deit-2.61g").finetune_options()
    assert training is not None
    assert training.teacher == "regnety_160.deit_in1k"
    assert training.training.distillation == "hard"
    assert (training.training.batch_size, training.training.lr) == (2048, 5e-4)


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
        ("resnet50-2.06g", ("taste=1",), UsageError, "unknown key of a recipe: 'taste'"),
        ("resnet50-2.06g", ("finetun.lr=1",), UsageError, "unknown key of a recipe: 'finetun'"),
        ("resnet50-2.06g", ("evaluate=often",), UsageError, "'evaluate' is wrong"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(name, overrides, error, words) -> None:
    with pytest.raises(error, match=words):
        read_recipe(name, overrides)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("prune.modell=x", r"unknown key of \[prune\]: 'modell'"),
        ("prune.floor=7", "the option 'prune.floor' is wrong"),
        ("prune.seed=-1", "the option 'prune.seed' is wrong"),
        ("prune.input_size=[3]", "the option 'prune.input_size"),
        ("prune.input_size=wide", "'prune.input_size' is wrong: 'wide' is not a size"),
        ("finetune.epoch=3", r"unknown key of \[finetune\]: 'epoch'"),
        ("finetune.preset=resnt", "unknown preset"),
    ],
)
def test_settings_that_do_not_exist_are_refused(override: str, words: str) -> None:
    recipe = read_recipe("resnet50-2.06g", [override])
    with pytest.raises(UsageError, match=words):
        (recipe.prune_options(), recipe.finetune_options())


def test_the_nearest_key_of_a_table_is_told() -> None:
    with pytest.raises(UsageError, match=r"of \[prune\]: 'target_mac'") as caught:
        read_recipe("resnet50-2.06g", ["prune.target_mac=1"]).prune_options()
    assert "did you mean target_macs" in caught.value.hint


@pytest.mark.parametrize("size", ["32", "[3, 32, 32]", "3x32x32", "'3,32,32'"])
def test_a_size_is_written_as_on_the_command_line(size: str) -> None:
    recipe = read_recipe("resnet50-2.06g", [f"prune.input_size={size}"])
    assert recipe.prune_options().input_size == (3, 32, 32)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (
            "give your own with --checkpoint, or say --weights random",
            "give your own with --set prune.checkpoint=..., or say --set prune.weights=random",
        ),
        ("train this one with --from-scratch", "train this one with --set prune.from_scratch=true"),
        ("give some with --data", "give some with --data"),
    ],
)
def test_hints_name_settings_where_commands_have_options(hint: str, words: str) -> None:
    with pytest.raises(ModelError) as caught, as_settings("prune"):
        raise ModelError("no", hint=hint)
    assert caught.value.hint == words


def test_only_what_differs_is_told_of_a_training_with_other_options(again: Path) -> None:
    command = ("run", again / "small.toml", "--output", again / "run", *SHORT)
    other = ("--set", "finetune.lr=1e-3", "--set", "finetune.epochs=2")
    said = assert_refused(1, "was trained with other options", *command, *other)
    assert "epochs is 10, not 2; lr is 1.5e-05, not 0.001" in " ".join(said.split())
    assert "{" not in said


def test_a_folder_that_a_recipe_names_is_kept_as_an_absolute_path(
    trained: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_noise(tmp_path / "images")
    text = RECIPE.format(checkpoint=trained)
    text = text[: text.index("[finetune]")].replace('"digits"', '"images"')
    (tmp_path / "small.toml").write_text(text)
    for stage in ("done", "there already"):
        result = run_recipe(
            read_recipe("small.toml", ["evaluate=false", "benchmark=false"]), Path("run")
        )
        assert result.stages == {"prune": stage}
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["options"]["data"] == str(tmp_path / "images")


def test_networks_are_called_alike_in_all_tables() -> None:
    figure = {"value": 0.5, "interval": [0.4, 0.6]}
    measured = {"accuracy": {"top1": figure}}
    done = RecipeResult(
        path=Path("run"),
        stages={"finetune": "done"},
        evaluation={**measured, "baseline": measured},
        benchmark={"whole": {"latency": 0.002}, "pruned": {"latency": 0.001}},
        main=True,
    )
    out = io.StringIO()
    console = Console(out=out, err=io.StringIO())
    show_recipe(console, read_recipe("resnet50-2.06g"), done)
    assert out.getvalue().count("uncut") == 2
    assert out.getvalue().count("fine-tuned") == 2


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

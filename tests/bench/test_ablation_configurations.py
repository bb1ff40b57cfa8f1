"""Configurations of comparisons: what is read, what is refused, and with which words."""

from pathlib import Path

import pytest
from comparisons import AGENTS, RANDOM, SHARED, SOLVER, ablate, transcript, written

from ap_bench.ablations.cells import cells_of
from ap_bench.ablations.reading import CONFIGURATIONS, read_configuration
from ap_core.errors import UnknownNameError, UsageError

WHOLE = SHARED + SOLVER


def cells(path: Path, *overrides: str):
    return cells_of(read_configuration(str(path), overrides))


def test_cells_are_models_times_targets_times_seeds_times_contenders(tmp_path: Path) -> None:
    own = '\n[[model]]\nname = "test_convnext"\ntargets = ["40%", "30%"]\n'
    found = cells(written(tmp_path, SHARED, own, SOLVER, RANDOM))
    assert len(found) == len({cell.place for cell in found}) == 2 * 2 + 2 * 2 * 2
    assert [str(cell) for cell in found[:2]] == [
        "test_resnet at 50%, solver, seed 0", "test_resnet at 50%, by chance, seed 0",
    ]  # fmt: skip
    assert {cell.target for cell in found if cell.model == "test_convnext"} == {"40%", "30%"}


def test_allowances_are_equal_unless_a_contender_has_its_own(tmp_path: Path) -> None:
    found = cells(written(tmp_path, SHARED, SOLVER, RANDOM, "trials = 7\n"))
    assert {cell.contender: cell.options.trials for cell in found} == {"solver": 2, "by chance": 7}


def test_a_contender_sets_any_option_of_pruning_and_of_the_strategy(tmp_path: Path) -> None:
    more = 'importance = "l1"\nkeep = ["conv1"]\nband = 0.01\nstrategy = { smoothing = 2.0 }\n'
    solver, chance = cells(written(tmp_path, SHARED, SOLVER, more, RANDOM))[:2]
    assert (solver.options.importance, solver.options.band) == ("l1", 0.01)
    assert solver.options.strategy.keep == ("conv1",)
    assert solver.options.strategy.smoothing == 2.0
    assert chance.options.strategy.keep == ()
    assert chance.options.num_classes == 10


def test_every_seed_can_have_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    checkpoint = 'checkpoint = "trained-{seed}.safetensors"\n'
    found = cells(written(tmp_path, SHARED, checkpoint, SOLVER))
    assert [str(cell.options.checkpoint) for cell in found] == [
        "trained-0.safetensors", "trained-1.safetensors",
    ]  # fmt: skip


def test_what_is_set_goes_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, SHARED, SOLVER, RANDOM)
    settings = ("prune.batch_size=8", 'contender."by chance".trials=5', "seeds=[3]")
    solver, chance = cells(path, *settings)
    assert (solver.options.batch_size, solver.seed) == (8, 3)
    assert (solver.options.trials, chance.options.trials) == (2, 5)
    assert read_configuration(str(path), data="glyphs").prune["data"] == "glyphs"


def test_the_comparison_of_the_paper_is_whole() -> None:
    found = cells_of(read_configuration("paper-llms", data="/path/to/imagenet"))
    assert len(found) == 3 * 10
    assert {cell.options.target_macs for cell in found} == {"2.06G"}
    assert {cell.options.trials for cell in found} == {12}
    asked = {cell.options.llm for cell in found if cell.options.strategist == "agents"}
    assert asked == {"anthropic", "openai", "deepseek"}
    raw = {cell.contender for cell in found if cell.options.raw == "paper"}
    assert raw == {f"{name}-raw" for name in (*asked, "grid", "random")}


def test_the_small_comparison_needs_no_download_and_no_key() -> None:
    found = cells_of(read_configuration("small"))
    assert {cell.options.data for cell in found} == {"digits"}
    assert {cell.options.weights for cell in found} == {"random"}
    assert {cell.options.llm for cell in found} == {"none"}
    assert {cell.options.strategist for cell in found} == {"solver", "grid", "random", "tpe"}


@pytest.mark.parametrize("name", CONFIGURATIONS.names())
def test_shipped_configurations_have_titles(name: str) -> None:
    assert read_configuration(name).title


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        (WHOLE.replace("seeds", "sedes"), "unknown key in the configuration: 'sedes'", "seeds"),
        (WHOLE.replace("trials", "trails"), r"unknown key in \[prune\]: 'trails'", "trials"),
        (
            WHOLE.replace("strategist =", "strategst ="),
            "unknown key in contender 'solver': 'strategst'",
            "strategist",
        ),
        (WHOLE.replace("[[contender]]", "[[contendr]]"), "'contendr'", "contender"),
        (WHOLE + 'checkpoint = "x"\n', "checkpoint cannot be set in contender 'solver'", "model"),
        (WHOLE + "seed = 3\n", "seed cannot be set in contender 'solver'", "seeds ="),
        (WHOLE.replace("trials = 2", 'model = "x"'), r"model cannot be set in \[prune\]", "model"),
        (SHARED, "the configuration has no contender", "contender"),
        (SOLVER + "[prune]\ntrials = 1\n", "the configuration has no model", "model"),
        (WHOLE.replace("[0, 1]", "[]"), "the configuration has no seed", "seeds ="),
        (WHOLE.replace("[0, 1]", "[0, -1]"), r"the option 'seeds.1' is wrong", ""),
        (WHOLE.replace('["50%"]', "[]"), "model 'test_resnet' has no target", "targets ="),
        (WHOLE.replace("[[model]]", "[model]"), "model is no list of tables", r"\[\[model\]\]"),
        (WHOLE.replace('name = "solver"', ""), "contender 1 has no name", "name ="),
        (SHARED.replace("test_resnet", "x") + "size = 3\n" + SOLVER, "in model 'x': 'size'", ""),
        (
            SHARED + "num_classes = 0\n" + SOLVER,
            "model 'test_resnet': the option 'num_classes' is wrong",
            "",
        ),
        ("[prune", "is no TOML", ""),
    ],
)
def test_a_configuration_of_no_sense_is_refused(text, words, hint, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        cells(written(tmp_path, text))
    assert hint.replace("\\", "") in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WHOLE + SOLVER, "the contender 'solver' is there twice"),
        (WHOLE + SOLVER.replace('"solver"', '"solver "', 1), "the contender 'solver ' is there"),
        (SHARED + '[[model]]\nname = "test_resnet"\n' + SOLVER, "the model 'test_resnet' is"),
        (WHOLE.replace("[0, 1]", "[1, 1]"), "the seed 1 is there twice"),
        (WHOLE.replace('"50%"', '"2.06G", "2060M"'), "the target '2060M' is there twice"),
        (WHOLE.replace('"50%"', '"50%,40%"'), "the target '50%,40%' is several"),
        (WHOLE.replace('"50%"', '"half"'), "the target 'half' for MACs is not an amount"),
        (WHOLE.replace("trials = 2", ""), "contender 'solver': nothing says how many trials"),
        (WHOLE + "trials = 0\n", "contender 'solver': the option 'trials' is wrong"),
    ],
)
def test_cells_of_no_sense_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        cells(written(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "overrides", "error", "words"),
    [
        ("smal", (), UnknownNameError, "unknown configuration 'smal'"),
        ("nowhere.toml", (), UsageError, "the configuration nowhere.toml cannot be read"),
        ("small", ("trials",), UsageError, "is not of the form TABLE.KEY=VALUE"),
        ("small", ("=3",), UsageError, "is not of the form TABLE.KEY=VALUE"),
        ("small", ("title.x=1",), UsageError, "title is no table"),
        ("small", ("title.x.y=1",), UsageError, "nothing is named x there"),
        ("small", ("contender.gird.trials=1",), UnknownNameError, "'gird'"),
    ],
)
def test_names_and_settings_of_no_sense_are_refused(name, overrides, error, words) -> None:
    with pytest.raises(error, match=words):
        read_configuration(name, overrides)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (SOLVER.replace('"solver"', '"sovler"'), 2, "contender 'sovler': unknown strategist"),
        (SOLVER.replace("solver", "drive"), 2, "unknown strategist 'drive'"),
        (SOLVER + 'llm = "claude"\n', 2, "the strategist 'solver' asks no LLM"),
        (
            SOLVER.replace("solver", "agents") + 'llm = "antropic"\n',
            2,
            "contender 'agents': unknown LLM backend 'antropic'",
        ),
        (SOLVER.replace("solver", "agents"), 2, "the strategist 'agents' asks an LLM"),
        (SOLVER.replace("solver", "agents") + 'llm = "auto"\n', 2, "leaves open which LLM it is"),
        (SOLVER + 'raw = "loose"\n', 2, "the tolerance 'loose' makes no sense"),
        (SOLVER + 'importance = "taylr"\n', 2, "unknown importance 'taylr'"),
        (SOLVER + 'recoveries = ["batchnrm"]\n', 2, "unknown recovery 'batchnrm'"),
        (SOLVER + 'data = ""\nimportance = "taylor"\n', 1, "the importance 'taylor' needs data"),
        (SOLVER + 'data = "digts"\n', 2, "unknown data set 'digts'"),
        (AGENTS.format(transcript="gone.jsonl"), 5, "cannot read the transcript gone.jsonl"),
    ],
)
def test_what_cannot_be_had_is_refused_before_any_cell(text, code, words, tmp_path: Path) -> None:
    path = written(tmp_path, SHARED, text)
    out, err = ablate(path, "--output", tmp_path / "out", code=code)
    assert words in err
    assert out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (SHARED.replace("test_resnet", "test_resnt"), 2, "unknown model 'test_resnt'"),
        (SHARED + 'checkpoint = "none-{seed}.pth"\n', 2, "seed 0: there is no checkpoint none-0"),
        (SHARED.replace("num_classes = 10", ""), 1, "the data have 10 classes, the network 1000"),
        (
            SHARED.replace('data = "digits"', "").replace("[prune]", "needs_data = true\n[prune]"),
            1,
            "this comparison needs images",
        ),
    ],
)
def test_models_and_images_are_looked_at_first(text, code, words, tmp_path: Path) -> None:
    _, err = ablate(written(tmp_path, text, SOLVER), "--output", tmp_path / "out", code=code)
    assert words in err
    assert not (tmp_path / "out").exists()


def test_a_key_that_is_missing_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    agents = AGENTS.format(transcript=transcript(tmp_path)).replace("replay:", "openai:")
    _, err = ablate(written(tmp_path, SHARED, agents), "--output", tmp_path / "out", code=2)
    assert "contender 'scripted': --llm openai:" in err
    assert "OPENAI_API_KEY is not set" in err


def test_no_configuration_is_named() -> None:
    _, err = ablate(code=2)
    assert err.startswith("error: no configuration\n")

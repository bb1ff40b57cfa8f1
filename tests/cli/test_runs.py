"""`ap runs`: the list, and one run in full."""

import io
import json

import pytest

from ap_core import plugin as built_in
from ap_core.budget import Budget, Cap
from ap_core.cli.app import App
from ap_core.cli.main import command_line
from ap_core.console import Console
from ap_core.errors import RunError
from ap_core.network import Metric
from ap_core.plugins.loading import Plugin
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import (
    ArchitectureRecord,
    BudgetRecord,
    CapRecord,
    QualityRecord,
    RecoveryRecord,
    ResultRecord,
    RunRecord,
    TrainingRecord,
    WeightsRecord,
)
from ap_core.search.trial import Trial
from ap_core.strategy import Strategy

BUDGET = Budget(caps=(Cap(metric=Metric.MACS, limit=48_000_000),))


OWNER = Owner(distribution="ap-core", version="1", plugin="ap-core")


def run_ap(*arguments):
    """Exit code, stdout and stderr of `ap` with the built-in commands alone."""
    out, err = io.StringIO(), io.StringIO()
    registry = Registry.from_plugins([Plugin(owner=OWNER, implementation=built_in)])
    app = App(registry=registry, console=Console(out=out, err=err))
    code = command_line(registry).main(list(arguments), standalone_mode=False, obj=app)
    return code or 0, out.getvalue(), err.getvalue()


def record(**changes):
    return RunRecord(
        **{
            "status": "done",
            "version": "0.1.0",
            "created": "2026-01-02T03:04:05+00:00",
            "command": ("prune", "--model", "toy"),
            "options": {
                "strategy": {"floor": 0.1, "keep": ["stem"]},
                "checkpoint": None,
                "input_size": [3, 8, 8],
                "round_to": 8,
            },
            "model": "toy",
            "architecture": ArchitectureRecord(
                adapter="generic", name="toy.v1", num_classes=10, input_size=(3, 8, 8)
            ),
            "weights": WeightsRecord(
                origin="random", sha256="ab", warnings=("the weights are random",)
            ),
            "budget": BudgetRecord(caps=(CapRecord(metric="macs", limit=48_000_000),), band=0.005),
            "seed": 3,
            "result": ResultRecord(
                macs=47_999_000,
                params=5000,
                base_macs=96_000_000,
                base_params=9000,
                strategist="solver",
                importance="l2",
                trials=2,
                best_trial=0,
                value=0.75,
                bound=0.8,
                difference=0.0,
                baseline=QualityRecord(images=10, loss=0.1, top1=0.9, top5=1.0),
                quality=QualityRecord(images=10, loss=0.2, top1=0.8, top5=1.0),
                seconds={"load": 1.25},
            ),
        }
        | changes
    )


def trial(number, **changes):
    fields = {
        "number": number,
        "strategist": "grid",
        "strategy": Strategy(),
        "plan": "ab",
        "macs": 47_999_000,
        "params": 5000,
        "value": 0.25,
        "bound": None,
        "seconds": 0.5,
    }
    return Trial(**fields | changes)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def make(name, made, trials=()):
    with RunDirectory.create(name, model="toy", budget=BUDGET) as run:
        run.write_record(made)
        for each in trials:
            run.append_trial(each)
        return run.path


def test_no_runs_are_an_empty_list(home):
    assert run_ap("runs") == (0, "", "no runs below runs\n")
    assert run_ap("runs", "--json") == (0, '{\n  "schema": 1,\n  "runs": []\n}\n', "")


def test_the_list_says_what_came_out(home):
    make(None, record())
    code, out, err = run_ap("runs")
    assert (code, err) == (0, "")
    assert out == (
        "run             model  weights  budget  MACs     params   value  top-1  status  created\n"
        "runs/toy-48M-1  toy    RANDOM   48M     48.00 M  5.000 k   0.75    0.8  done"
        "    2026-01-02 03:04\n"
    )


def test_the_list_as_json_has_integers(home):
    path = make(home / "deep" / "one", record())
    make(home / "two", record(status="failed", result=None, failure="no"))
    code, out, _ = run_ap("runs", str(home), "--json")
    assert code == 0
    one, two = json.loads(out)["runs"]
    assert one == {
        "path": str(path),
        "status": "done",
        "training": None,
        "model": "toy",
        "weights": "random",
        "budget": {"caps": [{"metric": "macs", "limit": 48_000_000}], "band": 0.005},
        "macs": 47_999_000,
        "base_macs": 96_000_000,
        "params": 5000,
        "base_params": 9000,
        "value": 0.75,
        "accuracy": 0.8,
        "created": "2026-01-02T03:04:05+00:00",
    }
    assert two["status"] == "failed"
    assert two["macs"] is None


def test_the_place_may_be_a_run_itself(home):
    path = make(home / "one", record())
    code, out, _ = run_ap("runs", "--json", str(path))
    assert code == 0
    assert [each["path"] for each in json.loads(out)["runs"]] == [str(path)]


def test_a_run_whose_process_died_is_interrupted(home):
    make(home / "dead", record(status="running", result=None))
    with RunDirectory.create(home / "live", model="toy", budget=BUDGET) as run:
        run.write_record(record(status="running", result=None))
        _, out, _ = run_ap("runs", "--json")
    assert [each["status"] for each in json.loads(out)["runs"]] == ["interrupted", "running"]


TRAINING = TrainingRecord(
    status="running",
    version="0.1.0",
    created="2026-01-02T03:04:05+00:00",
    command=("finetune", "runs/one"),
    options={},
    data={},
    teacher="",
    processes=1,
)


def test_a_training_whose_process_died_is_interrupted(home):
    with RunDirectory.create(home / "one", model="toy", budget=BUDGET) as run:
        run.write_record(record())
        run.write_training(TRAINING)
        assert "done, training running" in run_ap("runs")[1]
    assert "done, training interrupted" in run_ap("runs")[1]
    _, out, _ = run_ap("runs", "show", "one")
    assert "done, training interrupted" in out
    assert "ap finetune runs/one --resume" in out
    _, out, _ = run_ap("runs", "--json")
    assert [(run["status"], run["training"]) for run in json.loads(out)["runs"]] == [
        ("done", "interrupted")
    ]
    assert json.loads(run_ap("runs", "show", "one", "--json")[1])["training"] == "interrupted"


def test_a_training_that_is_done_needs_no_word(home):
    with RunDirectory.create(home / "one", model="toy", budget=BUDGET) as run:
        run.write_record(record())
        run.write_training(TRAINING.model_copy(update={"status": "done"}))
    _, out, _ = run_ap("runs", "show", "one")
    assert "training" not in out
    assert "go on with" not in out


def test_a_damaged_run_is_listed_under_a_warning(home):
    path = make(home / "one", record())
    make(home / "two", record())
    (path / "run.json").write_text("{")
    code, out, err = run_ap("runs")
    assert code == 0
    assert out.splitlines()[1].split() == ["runs/one", "-", "-", "-", "-", "damaged"]
    assert "runs/two" in out
    assert err.startswith("warning: runs/one/run.json is damaged: ")
    _, out, _ = run_ap("runs", "--json")
    assert json.loads(out)["runs"][0]["problem"].startswith("runs/one/run.json is damaged")


def test_an_absent_place_is_an_error(home):
    with pytest.raises(RunError, match="no directory nowhere"):
        run_ap("runs", "nowhere")


def test_one_run_is_shown_in_full(home):
    trials = (
        trial(0, retained=0.5, note="odd"),
        trial(1, strategist="solver", same_as=0, failure="it raised"),
    )
    make(home / "one", record(), trials)
    code, out, err = run_ap("runs", "show", "one")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        "runs/one",
        "model toy (toy.v1)",
        "weights RANDOM (untrained)",
        "budget 48M",
        "MACs 47,999,000 of 96,000,000",
        "value kept, by its own strategy 0.7500 (at most 0.8000)",
        "top-1 before the cut 90.00%",
        "top-1 of the saved file 80.00%",
        "seconds load 1.2",
        'strategy {"floor": 0.1, "keep": ["stem"]}',
        "checkpoint -",
        "input_size [3, 8, 8]",
        "round_to 8",
        "0 grid l2 47,999,000 5,000 0.5 - - 0.5 best; odd",
        "Trials; retained: of the value, by the base strategy's values",
        "1 solver l2 47,999,000 5,000 0.25 - - 0.5 same plan as trial 0; it raised",
    ):
        assert line in lines
    assert err == "warning: the weights are random\n"


def test_a_run_without_result_or_trials_shows_what_it_has(home):
    weights = WeightsRecord(origin="checkpoint", sha256="ab", checkpoint="w.pth")
    failed = record(status="failed", result=None, failure="no memory", weights=weights)
    path = make(home / "one", failed)
    code, out, err = run_ap("runs", "show", str(path))
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert "failure no memory" in lines
    assert "checkpoint w.pth" in lines
    assert not any(line.startswith(("MACs", "trial")) for line in lines)


def test_a_result_without_data_or_bound_shows_neither(home):
    result = record().result.model_copy(update={"bound": None, "baseline": None, "quality": None})
    make(home / "one", record(result=result))
    _, out, _ = run_ap("runs", "show", "one")
    assert "0.7500\n" in out
    assert "top-1" not in out


def test_the_accuracies_of_a_run_have_names_of_their_own(home):
    def quality(top1):
        return QualityRecord(images=10, loss=0.2, top1=top1, top5=1.0)

    recovery = RecoveryRecord(name="batchnorm", note="", before=quality(0.7), after=quality(0.8))
    result = record().result.model_copy(update={"recoveries": (recovery,)})
    make(home / "one", record(result=result, finetuned=quality(0.85)))
    _, out, _ = run_ap("runs", "show", "one")
    lines = [" ".join(line.split()) for line in out.splitlines() if line.startswith("top-1")]
    assert lines == [
        "top-1 before the cut 90.00%",
        "top-1 right after the cut 70.00%",
        "top-1 of the saved file 80.00%",
        "top-1 fine-tuned 85.00%",
    ]


def test_one_run_as_json_is_its_record_and_its_trials(home):
    path = make(home / "one", record(), (trial(0), trial(1, retained=0.9)))
    code, out, _ = run_ap("runs", "show", str(path), "--json")
    document = json.loads(out)
    assert code == 0
    assert document["run"] == json.loads((path / "run.json").read_text())
    assert document["best_trial"] == 1
    assert [each["number"] for each in document["trials"]] == [0, 1]


def test_an_unknown_run_is_an_error(home):
    with pytest.raises(RunError, match="no run directory nowhere"):
        run_ap("runs", "show", "nowhere")


def test_shared_options_reach_the_list(home):
    assert run_ap("runs", "-q") == (0, "", "")
    home.mkdir()
    assert run_ap("runs", str(home), "-q") == (0, "", "")
    assert run_ap("runs", "list", "--quiet") == (0, "", "")


def test_shared_options_reach_one_run(home):
    make(home / "one", record())
    assert run_ap("runs", "show", "one", "-q", "--no-color") == run_ap("runs", "show", "one")
    assert run_ap("runs", "-v", "show", "one") == run_ap("runs", "show", "one")


def test_help_shows_both_forms(home, capsys):
    run_ap("runs", "--help")
    assert "[DIR] [--json] | show RUN" in capsys.readouterr().out

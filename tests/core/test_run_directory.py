"""The layout of a run directory, and what comes back from it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_samples import BUDGET, NETWORK, PLAN, record, result, trial

from ap_core.budget import Budget, Cap
from ap_core.errors import RunError
from ap_core.network import Metric
from ap_core.plan import Plan, digest
from ap_core.runs.directory import RunDirectory, spell
from ap_core.runs.documents import canonical, decode, encode
from ap_core.scores import Scores
from ap_core.strategy import Strategy


@pytest.fixture
def run(tmp_path):
    with RunDirectory.create(tmp_path / "run", model="toy", budget=BUDGET) as made:
        made.write_record(record())
        yield made


def reopened(run):
    notes = []
    run.close()
    with RunDirectory.resume(run.path, note=notes.append):
        pass
    return notes


def test_runs_without_a_name_are_numbered_by_model_and_budget(tmp_path):
    names = [
        RunDirectory.create(None, model="a/b:c", budget=BUDGET, home=tmp_path / "runs").path
        for _ in range(2)
    ]
    assert names == [tmp_path / "runs" / "a-b-c-8.48G-1", tmp_path / "runs" / "a-b-c-8.48G-2"]


@pytest.mark.parametrize(
    ("limit", "word"),
    [(8_480_000_000, "8.48G"), (12_000_000, "12M"), (1500, "1.5K"), (999, "999")],
)
def test_a_budget_is_spelt_with_its_unit(limit, word):
    assert spell(Budget(caps=(Cap(metric=Metric.MACS, limit=limit),))) == word


def test_a_budget_of_parameters_says_so():
    caps = (Cap(metric=Metric.MACS, limit=10**9), Cap(metric=Metric.PARAMS, limit=10**7))
    assert spell(Budget(caps=caps)) == "1G-10M-params"


def test_a_new_run_goes_into_an_absent_or_an_empty_directory(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "deep" / "absent"):
        with RunDirectory.create(path, model="toy", budget=BUDGET) as run:
            assert run.path == path


def test_a_directory_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty") as caught:
        RunDirectory.create(tmp_path, model="toy", budget=BUDGET)
    assert caught.value.hint == "name another directory, or go on with --resume"
    assert [each.name for each in tmp_path.iterdir()] == ["precious.txt"]


def test_a_foreign_directory_with_a_lock_of_its_own_is_refused_and_left_alone(tmp_path):
    held = {".lock": "theirs", ".cache.tmp": "a", "deep/.draft.1.tmp": "b", "notes.txt": "c"}
    (tmp_path / "deep").mkdir()
    for name, text in held.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(RunError, match="is not empty"):
        RunDirectory.create(tmp_path, model="toy", budget=BUDGET)
    left = {str(p.relative_to(tmp_path)): p for p in tmp_path.rglob("*") if p.is_file()}
    assert {name: path.read_text() for name, path in left.items()} == held


def test_leftovers_of_a_kill_are_swept_and_nothing_else(run):
    (run.path / "scores").mkdir()
    ours, theirs = run.path / "scores" / ".l2.mean.safetensors.77.tmp", run.path / ".notes.tmp"
    for path in (ours, theirs):
        path.touch()
    reopened(run)
    assert not ours.exists()
    assert theirs.exists()


def test_a_finished_run_is_not_written_over(run):
    run.close()
    with pytest.raises(RunError, match="is not empty"):
        RunDirectory.create(run.path, model="toy", budget=BUDGET)
    assert RunDirectory.open(run.path).record() == record()


def test_a_run_that_died_before_its_record_may_be_started_again(tmp_path):
    RunDirectory.create(tmp_path / "run", model="toy", budget=BUDGET).close()
    (tmp_path / "run" / ".run.json.77.tmp").write_text("{")
    with RunDirectory.create(tmp_path / "run", model="toy", budget=BUDGET) as run:
        assert not list(run.path.glob("*.tmp"))


def test_what_is_no_run_cannot_be_opened(tmp_path):
    with pytest.raises(RunError, match="no run directory") as caught:
        RunDirectory.open(tmp_path / "absent")
    assert caught.value.hint == "'ap runs' lists the runs that there are"
    with pytest.raises(RunError, match=r"holds no run: there is no run\.json in it") as caught:
        RunDirectory.resume(tmp_path, note=print)
    assert caught.value.hint == ""


def test_the_runs_below_what_is_no_run_are_named(tmp_path):
    for number in range(5):
        with RunDirectory.create(tmp_path / str(number), model="toy", budget=BUDGET) as run:
            run.write_record(record())
    with pytest.raises(RunError, match="holds no run") as caught:
        RunDirectory.open(tmp_path)
    named = ", ".join(str(tmp_path / str(number)) for number in range(3))
    assert caught.value.hint == f"the runs in it: {named} and 2 more"


def test_a_record_comes_back_as_it_was(run):
    finished = record(status="done", result=result())
    run.write_record(finished)
    back = RunDirectory.open(run.path).record()
    assert back == finished
    assert list(back.options["pressure"]) == ["z", "a"]


def test_a_network_comes_back_as_it_was(run):
    run.write_network(NETWORK)
    assert RunDirectory.open(run.path).network() == NETWORK


def test_a_plan_comes_back_as_it_was(run):
    run.write_plan(PLAN)
    back = RunDirectory.open(run.path).plan()
    assert back == PLAN
    assert digest(back) == digest(PLAN)


def test_equal_plans_are_equal_bytes(run):
    run.write_plan(PLAN)
    first = (run.path / "plan.json").read_bytes()
    turned = Plan(
        widths=dict(reversed(PLAN.widths.items())),
        kept=PLAN.kept,
        macs=48,
        params=5,
        value=PLAN.value,
        bound=PLAN.bound,
    )
    run.write_plan(turned)
    assert (run.path / "plan.json").read_bytes() == first


floats = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=5)


@given(
    widths=st.dictionaries(names, st.integers(0, 10**6)),
    kept=st.dictionaries(names, st.lists(st.integers(0, 10**6)).map(tuple)),
    macs=st.integers(0, 10**30),
    value=floats,
    bound=st.none() | floats,
)
def test_plan_to_disk_to_plan_is_the_identity(widths, kept, macs, value, bound):
    try:
        "".join([*widths, *kept]).encode()
    except UnicodeEncodeError:
        return
    plan = Plan(widths=widths, kept=kept, macs=macs, params=1, value=value, bound=bound)
    text = canonical(encode(plan, Plan), where="plan")
    assert decode(text, Plan, where="plan") == plan


def test_the_digest_depends_on_what_stays_and_on_nothing_else():
    def changed(**changes):
        fields = {"widths": {"a": 2}, "kept": {"a": (0, 3)}, "macs": 1, "params": 1}
        return digest(Plan(**fields | {"value": 0.5, "bound": None} | changes))

    assert changed(value=0.7, bound=0.9) == changed()
    assert changed(kept={"a": (0, 2)}) != changed()
    assert changed(widths={"a": 2, "b": 1}) != changed()


def test_the_gap_of_a_plan_is_to_its_bound_and_never_negative():
    gaps = [replace(PLAN, value=0.5, bound=bound).gap for bound in (0.75, 0.4, None)]
    assert gaps == [0.25, 0.0, None]


def test_trials_come_back_as_they_were(run):
    made = (trial(0), trial(1, loss=None, bound=0.5, same_as=0, failure="x\ny", note="z"))
    for each in made:
        run.append_trial(each)
    back = RunDirectory.open(run.path).trials()
    assert back == made
    assert list(back[0].strategy.pressure) == ["z", "a"]


def test_there_are_no_trials_at_first(run):
    assert run.trials() == ()


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_trial_that_was_half_written_is_dropped_with_a_note(run, cut):
    run.append_trial(trial(0))
    whole = (run.path / "trials.jsonl").read_bytes()
    run.append_trial(trial(1))
    torn = (run.path / "trials.jsonl").read_bytes()[:-cut]
    (run.path / "trials.jsonl").write_bytes(torn)
    assert run.trials() == (trial(0),)
    notes = reopened(run)
    assert notes == [
        f"{run.path / 'trials.jsonl'}: dropped a last line that was not written to its end"
    ]
    assert (run.path / "trials.jsonl").read_bytes() == whole


def test_a_whole_journal_needs_no_mending(run):
    run.append_trial(trial(0))
    assert reopened(run) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "Expecting value"),
        (b"[1]", "not a JSON object"),
        (b'{"schema": 1, "x": NaN}', "NaN is not JSON"),
        (b'{"schema": 1, "x": 1e999}', "1e999 is too large"),
        (b'{"schema": 1, "x": "\xff"}', "codec can't decode"),
        (b'{"schema": 1}', "number: Missing required argument|number: Field required"),
        (b"{}", "schema None"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_any_other_damage_names_file_and_line(run, line, reason):
    run.append_trial(trial(0))
    with (run.path / "trials.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(RunError, match=rf"trials\.jsonl, line 2 is damaged: .*({reason})"):
        run.trials()


def test_a_trial_out_of_turn_is_damage(run):
    run.append_trial(trial(1))
    with pytest.raises(RunError, match="line 1 is damaged: trial 1 at 0's place"):
        run.trials()


def test_a_document_of_a_later_schema_is_refused(run):
    document = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(document | {"schema": 2}))
    with pytest.raises(RunError, match="has schema 2; this version of ap reads 1") as caught:
        run.record()
    assert caught.value.hint == "read it with the version of ap that wrote it, or a newer one"


def test_an_unknown_key_is_damage(run):
    run.write_network(NETWORK)
    text = (run.path / "profile.json").read_text().replace('"inside"', '"insied"', 1)
    (run.path / "profile.json").write_text(text)
    with pytest.raises(RunError, match=r"unknown key groups\.0\.insied"):
        run.network()


def test_a_number_in_quotes_is_damage(run):
    run.write_plan(PLAN)
    text = (run.path / "plan.json").read_text().replace('"macs":48', '"macs":"48"')
    (run.path / "plan.json").write_text(text)
    with pytest.raises(RunError, match=r"plan\.json is damaged: macs: .*integer"):
        run.plan()


def test_a_missing_document_is_named(run):
    with pytest.raises(RunError, match=r"cannot read .*plan\.json: No such file"):
        run.plan()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_json_number_is_not_written(run, bad):
    with pytest.raises(RunError, match=r"run\.json cannot hold options\.a\.1: it is not a finite"):
        run.write_record(record(options={"a": [1.0, bad]}))
    with pytest.raises(RunError, match=r"trials\.jsonl cannot hold loss: it is not a finite"):
        run.append_trial(trial(0, loss=bad))
    assert run.record() == record()
    assert run.trials() == ()


def test_entries_of_any_journal_come_back(run):
    run.append("transcript.jsonl", {"schema": 1, "text": "hello\n"})
    assert run.entries("transcript.jsonl") == ({"schema": 1, "text": "hello\n"},)
    assert run.entries("absent.jsonl") == ()


def test_scores_come_back_bit_by_bit(run):
    values = {
        "g": np.array([[0.1, 1e-300, 3.0]]),
        "a.b/c": np.arange(6, dtype=np.float64).reshape(3, 2).T,
    }
    run.save_scores(Scores(importance="my/taylor", reduction="mean", values=values))
    back = run.load_scores(importance="my/taylor", reduction="mean")
    assert back is not None
    assert set(back.values) == set(values)
    for name, array in values.items():
        np.testing.assert_array_equal(back.values[name], array)
        assert back.values[name].dtype == np.float64


def test_scores_that_were_never_saved_are_none(run):
    run.save_scores(Scores(importance="a/b", reduction="mean", values={"g": np.ones((1, 2))}))
    assert run.load_scores(importance="a/b", reduction="max") is None
    assert run.load_scores(importance="a%2Fb", reduction="mean") is None


def test_damaged_scores_are_refused(run):
    run.save_scores(Scores(importance="l2", reduction="mean", values={"g": np.ones((1, 2))}))
    path = run.path / "scores" / "l2.mean.safetensors"
    other = path.with_name("l1.mean.safetensors")
    other.write_bytes(path.read_bytes())
    with pytest.raises(RunError, match="is damaged: it holds") as caught:
        run.load_scores(importance="l1", reduction="mean")
    assert caught.value.hint == "delete it, and the scores are made again"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RunError, match="is damaged: "):
        run.load_scores(importance="l2", reduction="mean")


def test_others_write_to_a_temporary_name(run):
    with run.writing("model.safetensors") as temporary:
        temporary.write_bytes(b"weights")
        assert not (run.path / "model.safetensors").exists()
    assert (run.path / "model.safetensors").read_bytes() == b"weights"
    assert not temporary.exists()


def test_a_file_is_what_it_was_when_its_writer_fails(run):
    with run.writing("model.safetensors") as temporary:
        temporary.write_bytes(b"old")

    def fail(temporary):
        temporary.write_bytes(b"new")
        raise KeyError

    with pytest.raises(KeyError), run.writing("model.safetensors") as temporary:
        fail(temporary)
    assert (run.path / "model.safetensors").read_bytes() == b"old"
    assert not temporary.exists()


def test_a_run_that_was_opened_for_reading_is_not_written(run):
    reader = RunDirectory.open(run.path)
    for write in (
        lambda: reader.write_record(record()),
        lambda: reader.append_trial(trial(0)),
        lambda: reader.save_scores(Scores(importance="a", reduction="b", values={})),
    ):
        with pytest.raises(RunError, match="the run was opened for reading"):
            write()


def test_strategies_in_trials_are_checked_when_read(run):
    run.append_trial(trial(0, strategy=Strategy(smoothing=0.25)))
    path = run.path / "trials.jsonl"
    path.write_text(path.read_text().replace('"smoothing":0.25', '"smoothing":99'))
    with pytest.raises(RunError, match=r"line 1 is damaged: strategy\.smoothing"):
        run.trials()

"""A driven search is read and checked from its run alone: no network is loaded."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from run_samples import record, trial
from search_samples import BUDGET, NETWORK

from ap_core.agents.briefing import analysis_briefing
from ap_core.agents.master import decide
from ap_core.agents.reply import schema_of
from ap_core.budget import Budget, Cap, Tolerance, parse_tolerance
from ap_core.errors import OutOfReachError, RunError, UsageError
from ap_core.network import Metric
from ap_core.pipeline.driving import RefusedError, attempt, finish, restart, show, start
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.prune import prune, resume, resume_all
from ap_core.pipeline.searching.find import check_converged
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import ImportanceOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_core.runs.listing import list_runs
from ap_core.runs.records import BudgetRecord, DecisionRecord, SensitivityRecord
from ap_core.scores import Scores
from ap_core.search.trial import Evidence
from ap_core.strategy import Strategy

OPTIONS = {
    "model": "toy",
    "target_macs": "50%",
    "strategist": "drive",
    "trials": 3,
    "importance": "taylor",
    "data": "digits",
    "strategy": Strategy(keep=("2",)),
}
SCORES = Scores(
    importance="taylor",
    reduction="sum",
    additive=True,
    values={g.name: np.arange(1.0, g.width + 1)[None] for g in NETWORK.groups},
)
MEASURED = SensitivityRecord(uncut=0.25, scopes={"mlp": 0.5})
BASE = Strategy(importance="taylor", keep=("2",))
FIRST = trial(0, strategist="drive", strategy=BASE, loss=0.5)


@pytest.fixture
def registry():
    """Importances and nothing else: whatever needs more than the run, fails."""

    @hookimpl
    def ap_importances():
        return [
            ImportanceOffer(name="taylor", summary="", load="a:b", needs_data=True, additive=True),
            ImportanceOffer(name="fisher", summary="", load="a:b", needs_data=True, additive=True),
            ImportanceOffer(name="l2", summary="", load="a:b"),
            ImportanceOffer(name="nothing", summary="", load="a:b"),
            ImportanceOffer(name="chance", summary="", load="a:b", control=True),
        ]

    plugin = SimpleNamespace(ap_importances=ap_importances)
    owner = Owner(distribution="ap-third", version="1", plugin="third")
    return Registry.from_plugins([Plugin(owner=owner, implementation=plugin)])


@pytest.fixture
def path(tmp_path):
    """A driven run, as its start leaves it."""
    return written(tmp_path / "run")


def written(
    path, *, trials=(FIRST,), status="running", scores=SCORES, measured=MEASURED, **options
):
    asked = PruneOptions.parse(OPTIONS | options).model_dump(mode="json")
    made = record(options=asked, status=status, budget=BudgetRecord.of(BUDGET))
    with RunDirectory.create(path, model="toy", budget=BUDGET) as run:
        run.write_record(made)
        run.write_network(NETWORK)
        run.save_scores(replace(SCORES, importance="l2", reduction="mean", additive=False))
        if scores:
            run.save_scores(scores)
        if measured:
            run.write_sensitivity(measured)
        for each in trials:
            run.append_trial(each)
    return path


def content(path):
    """All files of a run but those that say who holds it."""
    found = sorted(each for each in path.rglob("*") if each.is_file())
    return {each: each.read_bytes() for each in found if each.name not in (".lock", ".owner")}


def test_what_is_shown_is_what_an_analysis_of_the_evidence_is_sent(path, registry):
    evidence = Evidence(
        network=NETWORK,
        budget=BUDGET,
        base=BASE,
        importances=("fisher", "l2", "taylor"),
        trials=(FIRST,),
        seed=0,
        scores=SCORES,
        uncut=0.25,
        sensitivity={"mlp": 0.5},
        left=2,
    )
    shown = show(path, registry=registry)
    assert shown.briefing == analysis_briefing(evidence, decide([FIRST]))
    assert shown.schema == schema_of(("fisher", "l2", "taylor"))
    assert (shown.decision.move, shown.best, shown.left, shown.over) == ("explore", FIRST, 2, "")
    assert not shown.finished


def test_raw_strategies_are_shown_their_tolerance_and_where_to_begin(tmp_path, registry):
    network = replace(NETWORK, layers=layers())
    path = written(tmp_path / "run", raw="+2/-3")
    with RunDirectory.resume(path, note=print) as run:
        run.write_network(network)
    evidence = show(path, registry=registry).evidence
    assert evidence.tolerance == Tolerance(above=0.02, below=0.03)
    assert evidence.guessed == {"heads", "hidden", "residual"}
    assert evidence.base.widths.keys() == evidence.guessed


def layers():
    from ap_core.network import LayerCost, Term

    macs = (Term(coefficient=1, groups=("b", "d")),)
    return (LayerCost(layer="x", kind="linear", stage="1", macs=macs, params=macs),)


@pytest.mark.parametrize(
    ("proposal", "complaint"),
    [
        ("", "the reply is empty"),
        ("\n \n", "the reply is empty"),
        ("smoothing 0.5", "the reply holds no JSON object"),
        ('{"smoothing": 0.5', "the reply is no JSON: Expecting ',' delimiter at character 17"),
        ('{"smoothing": NaN}', "the reply is no JSON: NaN is no number of JSON"),
        ('{"smoothing": 1e999}', "smoothing is wrong: Input should be a finite number"),
        ('{"smoothing": "0.5"}', "smoothing is wrong: Input should be a valid number"),
        ('{"widths": [{"where": "S2", "value": 5}]}',
         "widths.S2 is wrong: Input should be less than or equal to 1"),
        ('{"pressure": [{"where": "layer9", "value": 2}]}',
         "pressure names 'layer9', which is in no table; names are, among others, S1, S2, S3, a, "
         "heads, 1, b, hidden, c, 2, d, residual"),
        ('{"importance": "chance"}', "importance is none of fisher, l2, taylor"),
        ('{"importance": "nothing"}', "importance is none of fisher, l2, taylor"),
        ('{"ratio": 0.5}', "ratio is wrong: Extra inputs are not permitted"),
        ("{}", "that is the strategy of trial 0; propose another"),
        ('{"rationale": "in other words"}', "that is the strategy of trial 0; propose another"),
        ("a" * 200_000, "the reply has 200000 characters; 100000 are the most"),
        ("{" * 100, "the reply has brackets more than 32 deep"),
    ],
)  # fmt: skip
def test_a_proposal_of_no_use_is_refused_and_changes_nothing(path, registry, proposal, complaint):
    before = content(path)
    with pytest.raises(RefusedError) as caught:
        attempt(path, proposal, registry=registry)
    assert caught.value.message == f"the proposal is refused: {complaint}"
    assert caught.value.hint == f"names and schema: ap drive show {path}"
    assert caught.value.exit_code == 2
    assert content(path) == before


def test_a_proposal_to_stop_is_told_how_to(path, registry):
    with pytest.raises(RefusedError, match="it says that nothing is left to try") as caught:
        attempt(path, '{"stop": true}', registry=registry)
    assert caught.value.hint == f"end the search: ap drive finish {path}"


@pytest.mark.parametrize(
    ("changes", "said", "hint"),
    [
        ({"trials": (FIRST, trial(1), trial(2))}, "no trial is left: 3 were made",
         "end the search: ap drive finish {}"),
        ({"status": "done"}, "the run {} is finished", "see what came out: ap runs show {}"),
        ({"trials": (trial(0, missed=0.1), trial(1)), "raw": "paper"},
         "the search has ended: trial 1 is within the tolerance",
         "end the search: ap drive finish {}"),
    ],
)  # fmt: skip
def test_when_the_search_is_over_no_trial_is_made(tmp_path, registry, changes, said, hint):
    path = written(tmp_path / "run", **changes)
    with RunDirectory.resume(path, note=print) as run:
        run.write_network(replace(NETWORK, layers=layers()))
    with pytest.raises(RunError) as caught:
        attempt(path, '{"smoothing": 0.5}', registry=registry)
    assert caught.value.message == said.format(path)
    assert caught.value.hint == hint.format(path)
    assert show(path, registry=registry).over == said.format(path)


def test_raw_strategies_that_miss_the_budget_are_not_finished(tmp_path, registry):
    path = written(tmp_path / "run", trials=(trial(0, missed=0.1),), raw="paper")
    with RunDirectory.resume(path, note=print) as run:
        run.write_network(replace(NETWORK, layers=layers()))
    before = content(path)
    with pytest.raises(OutOfReachError, match=r"none of 1 raw strategies came within \+1/-5 %"):
        finish(path, registry=registry)
    assert content(path) == before


def test_a_raw_search_names_the_cap_that_was_missed_most():
    caps = (Cap(metric=Metric.MACS, limit=48), Cap(metric=Metric.PARAMS, limit=4))
    evidence = Evidence(
        network=NETWORK, budget=Budget(caps=caps), base=Strategy(), importances=("l2",), seed=0,
        trials=(trial(0, missed=0.2),), tolerance=parse_tolerance("paper"),
    )  # fmt: skip
    with pytest.raises(
        OutOfReachError, match=r"of 0.004 k parameters; .* trial 0, has 0.005 k parameters"
    ):
        check_converged(evidence)


@pytest.mark.parametrize("step", [show, finish, lambda path, **more: attempt(path, "{}", **more)])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trials": ()}, "the start of {} was stopped: there is no trial yet"),
        ({"scores": None}, "the run {} lacks what is measured at its start"),
        ({"measured": None}, "the run {} lacks what is measured at its start"),
    ],
)
def test_a_start_that_was_stopped_is_told_how_to_go_on(tmp_path, registry, step, changes, said):
    path = written(tmp_path / "run", **changes)
    with pytest.raises(RunError) as caught:
        step(path, registry=registry)
    assert caught.value.message == said.format(path)
    assert caught.value.hint.endswith(f": ap drive start --resume {path}")


@pytest.mark.parametrize(
    "step", [show, finish, restart, lambda path, **more: attempt(path, "{}", **more)]
)
def test_a_run_of_another_strategist_is_not_driven(tmp_path, registry, step):
    path = written(tmp_path / "run", strategist="solver")
    with pytest.raises(RunError) as caught:
        step(path, registry=registry)
    assert caught.value.message == f"the run {path} was not started with 'ap drive'"
    assert caught.value.hint == f"go on with: ap prune --resume {path}"


def test_prune_does_not_end_what_somebody_drives(path, registry):
    before = content(path)
    for goes_on in (
        lambda: resume(path, registry=registry),
        lambda: resume_all(path, registry=registry),
        lambda: resume_all(path.parent, registry=registry),
    ):
        with pytest.raises(RunError, match="is driven step by step") as caught:
            goes_on()
        assert caught.value.hint == f"end it with: ap drive finish {path}"
    assert content(path) == before


def test_prune_takes_no_driver(registry):
    with pytest.raises(UsageError, match="the strategist 'drive' is whoever types") as caught:
        prune(PruneOptions.parse(OPTIONS), registry=registry)
    assert caught.value.hint == "begin with: ap drive start"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"llm": "anthropic"}, "there is no other strategist, and no LLM"),
        ({"strategist": "tpe"}, "there is no other strategist, and no LLM"),
        ({"target_macs": "50%,25%"}, "several targets"),
        ({"target_params": "50%,25%"}, "several targets"),
        ({"target_macs": ""}, "no target"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused_before_anything_is_loaded(
    tmp_path, registry, changes, said
):
    with pytest.raises(UsageError, match=said):
        start(PruneOptions.parse(OPTIONS | changes), output=tmp_path / "run", registry=registry)
    assert list(tmp_path.iterdir()) == []


def test_a_driven_run_stays_running_between_its_steps(path):
    assert [each.status for each in list_runs(path.parent)] == ["running"]


def test_what_was_decided_and_measured_is_read_back(path):
    decision = DecisionRecord(trial=0, move="begin", reason="first")
    with RunDirectory.resume(path, note=print) as run:
        run.append_decision(decision)
        assert run.decisions() == (decision,)
        assert run.sensitivity() == MEASURED


def test_the_rationale_of_a_refused_proposal_cannot_steer_a_terminal(path, registry):
    name = "\x1b[2J" + "x" * 5000
    with pytest.raises(RefusedError) as caught:
        attempt(path, json.dumps({"keep": [name]}), registry=registry)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400

"""The JSON of `ap prune`."""

from run_samples import BUDGET, NETWORK, PLAN, record, result, trial

from ap_core.cli.prune_view import document
from ap_core.pipeline.prune import Pruned
from ap_core.strategy import Strategy


def pruned(**changes):
    fields = {
        "network": NETWORK,
        "budget": BUDGET,
        "plan": PLAN,
        "trials": (trial(0),),
        "record": record(),
        "seconds": {"load": 1.5, "solve": 0.25},
    }
    return Pruned(**fields | changes)


def test_a_dry_run_says_who_proposed_the_plan_and_how_long_it_took():
    better = trial(1, strategist="grid", strategy=Strategy(importance="l1"), loss=0.1)
    found = document([pruned(trials=(trial(0), better, trial(2)))])
    assert (found["strategist"], found["importance"]) == ("grid", "l1")
    assert found["trials"] == 3
    assert found["seconds"] == {"load": 1.5, "solve": 0.25}
    assert found["run"] is None


def test_several_results_are_targets_of_one_document():
    done = record(status="done", result=result())
    found = document([pruned(), pruned(record=done)])
    assert list(found) == ["schema", "targets"]
    assert ["counters" in each for each in found["targets"]] == [False, True]

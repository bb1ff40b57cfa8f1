"""A search is killed at random instants, taken up again, and ends with the same bytes."""

import multiprocessing
import random
import signal
import time
from itertools import count
from pathlib import Path

import pytest
from run_samples import record
from search_samples import BUDGET, evidence, measure, solve

from ap_core.runs.directory import RECORD, RunDirectory
from ap_core.search.loop import search
from ap_core.search.strategists.random import RandomStrategist
from ap_core.search.strategists.tpe import TpeStrategist

TRIALS = 30
KILLS = 12
STRATEGISTS = {"random": RandomStrategist, "tpe": TpeStrategist}


def judge_slowly(plan):
    time.sleep(0.02)
    return measure(plan)


def prune(path: Path, name: str) -> None:
    """Start the run, or go on with it, and write its plan."""
    if (path / RECORD).exists():
        run = RunDirectory.resume(path, note=print)
    else:
        run = RunDirectory.create(path, model="toy", budget=BUDGET)
        run.write_record(record())
    with run:
        outcome = search(
            evidence(trials=run.trials()),
            STRATEGISTS[name](),
            name=name,
            solve=solve,
            judge=judge_slowly,
            allowance=TRIALS,
            record=run.append_trial,
            warn=print,
            clock=time.monotonic,
        )
        run.write_plan(outcome.plan)
        run.write_record(record(status="done"))


@pytest.fixture(scope="module")
def processes():
    """Real processes that start in milliseconds, forked from one that has all imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["ap_core.runs.directory", "ap_core.search.strategists.tpe", "optuna.samplers"]
    )
    return context


def start(processes, *arguments):
    process = processes.Process(target=prune, args=arguments)
    process.start()
    return process


def lines(path):
    journal = path / "trials.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def kill_at(process, path, *, trials, pause):
    """Kill when so many trials are on disk and a moment has passed; whether it was in time."""
    while process.is_alive() and lines(path) < trials:
        time.sleep(0.001)
    process.join(timeout=pause)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize("name", STRATEGISTS)
def test_a_killed_search_ends_with_the_same_plan(name, tmp_path, processes):
    whole = start(processes, tmp_path / "whole", name)
    whole.join()
    wanted = (tmp_path / "whole" / "plan.json").read_bytes()
    assert lines(tmp_path / "whole") == TRIALS

    chance, kills = random.Random(name), []
    for attempt in count():
        path = tmp_path / f"killed-{attempt}"
        while len(kills) < KILLS and lines(path) < TRIALS:
            stop = chance.randint(lines(path), TRIALS)
            process = start(processes, path, name)
            if not kill_at(process, path, trials=stop, pause=chance.uniform(0, 0.01)):
                break
            kills.append(lines(path))
        else:
            start(processes, path, name).join()
        assert (path / "plan.json").read_bytes() == wanted
        assert lines(path) == TRIALS
        assert RunDirectory.open(path).record().status == "done"
        if len(kills) == KILLS:
            break
    assert len(set(kills)) > KILLS / 3

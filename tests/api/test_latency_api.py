"""Budgets of time, on real networks and a machine that is made up: its times are formulas."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ap_core import load_model, prune
from ap_core import plugin as ap_core_plugin
from ap_core.contracts import Pair, Stack
from ap_core.errors import (
    ApError,
    ModelError,
    OutOfReachError,
    PluginError,
    RunError,
    UnknownNameError,
    UsageError,
)
from ap_core.pipeline.driving import attempt, finish, start
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.prune import prune as prune_to_targets
from ap_core.pipeline.prune import resume
from ap_core.pipeline.searching.timed import FILL_FROM
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import TimerOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_core.strategy import Strategy
from ap_models import plugin as ap_models_plugin
from ap_train import plugin as ap_train_plugin

SIZE = (3, 32, 32)
STACK = Stack(backend="made-up")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 128, 3),
            nn.BatchNorm2d(128), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x).mean((2, 3)))


@dataclass
class MadeUp:
    """A machine where every channel of a layer takes 1 us, and every weight 1 ns.

    fixed: seconds of a pass, whatever the widths.
    passes: how many networks were timed. interrupt: at which of them the user interrupts.
    """

    about: dict[str, str] = field(default_factory=lambda: {"processor": "made up"})
    fixed: float = 2e-4
    passes: int = 0
    interrupt: int | None = None
    stacks: list[Stack] = field(default_factory=list)

    def seconds(self, module: nn.Module) -> float:
        """What a network takes."""
        weights = [p for p in module.parameters() if p.dim() > 1]
        channels = sum(p.shape[0] for p in weights)
        return self.fixed + 1e-6 * channels + 1e-9 * sum(p.numel() for p in weights)

    def open(self, stack: Stack, whole: nn.Module, input_size: tuple[int, int, int]) -> "Timed":
        """Timer of a network."""
        assert input_size == SIZE
        self.stacks.append(stack)
        return Timed(machine=self, whole=self.seconds(whole))


@dataclass
class Timed:
    machine: MadeUp
    whole: float

    def about(self) -> Mapping[str, str]:
        return self.machine.about

    def beside(self, module: nn.Module, *, rounds: int) -> Sequence[Pair]:
        self.machine.passes += 1
        if self.machine.passes == self.machine.interrupt:
            raise KeyboardInterrupt
        return [Pair(whole=self.whole, other=self.machine.seconds(module))] * rounds


@pytest.fixture
def machine() -> MadeUp:
    return MadeUp()


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Net()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


Make = Callable[[MadeUp], Registry]


def registry_of(machine: MadeUp) -> Registry:
    """Ours, and the machine's timer."""

    class Plugged:
        @hookimpl
        def ap_timers(self) -> Iterator[TimerOffer]:
            yield TimerOffer(name="made-up", summary="", load=lambda: machine.open)

    named = {
        "ap-core": ap_core_plugin, "ap-models": ap_models_plugin, "ap-train": ap_train_plugin,
        "made-up": Plugged(),
    }  # fmt: skip
    return Registry.from_plugins(
        Plugin(owner=Owner(distribution=n, version="1", plugin=n), implementation=each)
        for n, each in named.items()
    )


def test_a_network_is_cut_to_a_share_of_its_latency(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    pruned = prune(
        net, target_latency="70%", stack=STACK, input_size=SIZE, output=tmp_path / "run",
        registry=registry_of(machine),
    )  # fmt: skip
    assert pruned.module is not None
    share = machine.seconds(pruned.module) / machine.seconds(net)
    assert 0.95 * 0.7 <= share <= 0.7
    assert pruned.record.result is not None
    found = pruned.record.result.latency
    assert found is not None
    assert found.faster == pytest.approx(1 / share)
    assert found.low == found.high == found.faster
    assert found.seconds == pytest.approx(share * found.base_seconds)
    assert found.base_seconds == pytest.approx(machine.seconds(net), rel=1e-3)
    assert (found.backend, found.machine) == ("made-up", {"processor": "made up"})
    assert pruned.plan.latency == pytest.approx(1e15 * found.seconds)
    assert pruned.trials[0].latency == pruned.plan.latency
    again = load_model(tmp_path / "run", factory=Net)
    assert torch.equal(again(torch.ones(1, *SIZE)), pruned.module(torch.ones(1, *SIZE)))


def test_a_run_knows_the_device_that_auto_stood_for(net: nn.Module, tmp_path: Path) -> None:
    machine = MadeUp(about={"device": "npu:0", "processor": "made up"})
    pruned = prune(
        net, target_latency="70%", stack=Stack(backend="made-up", device="auto"), input_size=SIZE,
        output=tmp_path / "run", registry=registry_of(machine),
    )  # fmt: skip
    assert [stack.device for stack in machine.stacks] == ["auto"]
    assert pruned.record.result is not None
    assert pruned.record.result.latency is not None
    assert pruned.record.result.latency.device == "npu:0"


def test_an_absolute_latency_holds_too(machine: MadeUp, net: nn.Module, tmp_path: Path) -> None:
    pruned = prune(
        net, target_latency="520us", stack=STACK, input_size=SIZE, output=tmp_path / "run",
        registry=registry_of(machine),
    )  # fmt: skip
    assert pruned.module is not None
    assert 0.95 * 5.2e-4 <= machine.seconds(pruned.module) <= 5.2e-4


def test_latency_and_macs_hold_at_once(machine: MadeUp, net: nn.Module, tmp_path: Path) -> None:
    pruned = prune(
        net, target_latency="90%", target_macs="30%", stack=STACK, input_size=SIZE,
        output=tmp_path / "run", registry=registry_of(machine),
    )  # fmt: skip
    assert pruned.module is not None
    assert pruned.record.result is not None
    assert pruned.plan.macs <= 0.3 * pruned.record.result.base_macs
    assert machine.seconds(pruned.module) <= 0.9 * machine.seconds(net)


def test_what_was_timed_once_is_not_timed_again(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    registry = registry_of(machine)
    counts, plans = [], []
    for number in range(2):
        before = machine.passes
        pruned = prune(
            net, target_latency="70%", stack=STACK, input_size=SIZE, registry=registry,
            output=tmp_path / f"run{number}",
        )  # fmt: skip
        counts.append(machine.passes - before)
        plans.append((tmp_path / f"run{number}" / "plan.json").read_bytes())
        assert pruned.path
    assert plans[0] == plans[1]
    assert counts[0] - counts[1] == 28 + 18
    # The network once, every cut twice, one that may be taken twice more, what is saved twice.
    took = [entry.took for entry in RunDirectory.open(tmp_path / "run1").timed()]
    limit = pruned.record.budget.caps[0].limit
    assert len(took) <= 3
    assert counts[1] == 1 + sum(4 if FILL_FROM * limit <= each <= limit else 2 for each in took) + 2
    machine.about["processor"] = "another"
    before = machine.passes
    prune(
        net, target_latency="70%", stack=STACK, input_size=SIZE, registry=registry,
        output=tmp_path / "elsewhere",
    )  # fmt: skip
    assert machine.passes - before == counts[0]


@pytest.mark.parametrize("moment", [5, 20, 48, 50])
def test_an_interrupted_run_goes_on_with_what_was_timed(
    net: nn.Module, tmp_path: Path, moment: int
) -> None:
    whole, stopped = MadeUp(), MadeUp(interrupt=moment)
    options = PruneOptions.parse(
        {"model": "Net", "target_latency": "60%", "stack": STACK, "input_size": SIZE,
         "strategist": "random", "trials": 3}
    )  # fmt: skip
    (undisturbed,) = prune_to_targets(
        options, module=net, output=tmp_path / "whole", registry=registry_of(whole)
    )
    for cached in (tmp_path / "cache").rglob("*.jsonl"):
        cached.unlink()
    registry = registry_of(stopped)
    with pytest.raises(KeyboardInterrupt):
        prune_to_targets(options, module=net, output=tmp_path / "run", registry=registry)
    if (tmp_path / "run" / "run.json").exists():
        pruned = resume(tmp_path / "run", module=net, registry=registry)
    else:
        (pruned,) = prune_to_targets(
            options, module=net, output=tmp_path / "run", registry=registry
        )
    assert pruned.plan == undisturbed.plan
    # Opening the machine again, and the plan at which it was stopped, are all that is timed twice.
    assert stopped.passes <= whole.passes + 4


def test_a_run_does_not_go_on_where_time_goes_by_differently(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    machine.interrupt = 49
    options = PruneOptions.parse(
        {"model": "Net", "target_latency": "60%", "stack": STACK, "input_size": SIZE}
    )
    registry = registry_of(machine)
    with pytest.raises(KeyboardInterrupt):
        prune_to_targets(options, module=net, output=tmp_path / "run", registry=registry)
    machine.about["processor"] = "another"
    with pytest.raises(RunError, match="where processor is made up; here it is another") as caught:
        resume(tmp_path / "run", module=net, registry=registry)
    assert caught.value.hint == "go on there, or start a new run here"


def test_several_latencies_are_cut_to_in_one_go(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    options = PruneOptions.parse(
        {"model": "Net", "target_latency": "80%,60%", "stack": STACK, "input_size": SIZE}
    )
    results = prune_to_targets(
        options, module=net, output=tmp_path / "runs", registry=registry_of(machine)
    )
    for pruned, share in zip(results, (0.8, 0.6), strict=True):
        assert pruned.module is not None
        assert machine.seconds(pruned.module) <= share * machine.seconds(net)
    assert len(machine.stacks) == 1
    assert len({pruned.path for pruned in results}) == 2
    assert (tmp_path / "runs" / "index.html").exists()


def test_a_dry_run_times_and_writes_no_run(
    machine: MadeUp, net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pruned = prune(
        net, target_latency="70%", stack=STACK, input_size=SIZE, dry_run=True,
        registry=registry_of(machine),
    )  # fmt: skip
    assert 0 < pruned.plan.latency <= pruned.budget.caps[0].limit
    assert [each.name for each in tmp_path.iterdir()] == ["cache"]


def test_a_driven_search_keeps_to_the_latency(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    registry = registry_of(machine)
    options = PruneOptions.parse(
        {"model": "Net", "target_latency": "70%", "stack": STACK, "input_size": SIZE, "trials": 3}
    )
    begun = start(options, module=net, output=tmp_path / "run", registry=registry)
    assert "us measured" in begun.briefing.prompt
    assert "latency %" in begun.briefing.prompt
    proposal = json.dumps({"rationale": "why not", "smoothing": 2.0})
    tried = attempt(tmp_path / "run", proposal, module=net, registry=registry)
    limit = tried.evidence.budget.caps[0].limit
    assert all(trial.latency and trial.latency <= limit for trial in tried.trials)
    pruned = finish(tmp_path / "run", module=net, registry=registry)
    assert pruned.module is not None
    assert machine.seconds(pruned.module) <= 0.7 * machine.seconds(net)
    assert len({entry.strategy for entry in RunDirectory.open(tmp_path / "run").timed()}) == 2


def test_options_that_cap_a_latency_have_a_stack() -> None:
    assert PruneOptions(model="net", target_latency="80%,60%").stack == Stack()
    assert PruneOptions(model="net", target_macs="50%", multiples=True).stack == Stack()
    assert PruneOptions(model="net", target_macs="50%").stack is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"keep": ("typo*",)}, "typo"),
        ({"target_macs": "0.001%"}, "cannot be cut to"),
        ({"data": "no-such-data"}, "no-such-data"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_timed(
    machine: MadeUp, net: nn.Module, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApError, match=said):
        prune(
            net, target_latency="70%", stack=STACK, input_size=SIZE,
            registry=registry_of(machine), **more,
        )  # fmt: skip
    assert machine.passes == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ConnectionError("no phone"), "failed: ConnectionError: no phone"),
        ([Pair(whole=1.0, other=1.0)], "measured no time in 9 rounds"),
        ([Pair(whole=1.0, other=0.0)] * 9, "measured no time in 9 rounds"),
    ],
)
def test_a_timer_that_fails_is_named(
    machine: MadeUp,
    net: nn.Module,
    monkeypatch: pytest.MonkeyPatch,
    answer: object,
    said: str,
) -> None:
    def beside(_self: Timed, _module: nn.Module, *, rounds: int) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Timed, "beside", beside)
    with pytest.raises(PluginError, match="the timer 'made-up' of made-up 1") as caught:
        prune(
            net, target_latency="70%", stack=STACK, input_size=SIZE, registry=registry_of(machine)
        )
    assert said in caught.value.message


def test_what_is_no_multiple_is_refused(net: nn.Module) -> None:
    with pytest.raises(UsageError, match="round_to is '16'"):
        prune(net, target_macs="50%", round_to="16", input_size=SIZE)  # type: ignore[arg-type]


def test_a_network_of_other_activations_is_timed_anew(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    more = {"target_macs": "50%", "round_to": "auto", "stack": STACK, "input_size": SIZE}
    for number in range(2):
        prune(net, output=tmp_path / f"{number}", registry=registry_of(machine), **more)  # type: ignore[arg-type]
    assert machine.passes == 2 + 18
    net.layers[2] = nn.Mish()
    prune(net, output=tmp_path / "mish", registry=registry_of(machine), **more)  # type: ignore[arg-type]
    assert machine.passes == 3 + 2 * 18


def test_auto_stands_in_the_place_of_a_strategys_multiple(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    pruned = prune(
        net, target_macs="50%", round_to="auto", strategy=Strategy(round_to=16), stack=STACK,
        input_size=SIZE, output=tmp_path / "run", registry=registry_of(machine), band=0.2,
    )  # fmt: skip
    strategy = pruned.record.options["strategy"]
    assert isinstance(strategy, dict)
    assert strategy["round_to"] is None


def test_multiples_that_a_machine_rewards_are_kept_to(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    plain = machine.seconds

    def padded(module: nn.Module) -> float:
        """As if every layer had channels by the sixteen."""
        weights = [p for p in module.parameters() if p.dim() > 1]
        spare = sum(-p.shape[0] % 16 for p in weights)
        return plain(module) + 4e-6 * spare

    machine.seconds = padded  # type: ignore[method-assign]
    pruned = prune(
        net, target_macs="50%", round_to="auto", stack=STACK, input_size=SIZE,
        output=tmp_path / "run", registry=registry_of(machine), band=0.2,
    )  # fmt: skip
    strategy = pruned.record.options["strategy"]
    assert isinstance(strategy, dict)
    assert strategy["grain"] == 16
    assert pruned.plan.latency == 0
    assert machine.passes == 1 + 18  # none of the cuts that a latency is learnt from
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace('"status": "done"', '"status": "running"'))
    machine.about["processor"] = "another"
    assert resume(tmp_path / "run", module=net, registry=registry_of(machine)).plan == pruned.plan
    assert machine.passes == 1 + 18
    assert sum(width % 8 > 0 for width in pruned.plan.widths.values()) <= 1


def test_a_latency_that_no_width_reaches_is_refused_with_the_range(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    machine.fixed = 1e-3
    with (
        pytest.raises(OutOfReachError, match="cannot be cut to") as caught,
        pytest.warns(UserWarning, match="widths can change little"),
    ):
        prune(
            net, target_latency="20%", stack=STACK, input_size=SIZE, output=tmp_path / "run",
            registry=registry_of(machine),
        )  # fmt: skip
    assert "reachable: from 1." in caught.value.hint
    assert "ms" in caught.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"target_latency": "4M"}, UsageError, "'4M' for latency is not an amount"),
        ({"target_latency": "100%"}, UsageError, "is not below the whole network"),
        ({"target_latency": "1h"}, UsageError, "write it like \"4ms\""),
        ({"target_latency": "0.9s"}, OutOfReachError, "is not below the network's 7"),
        ({"target_latency": "70%", "raw": "paper"}, UsageError, "raw strategies keep to no"),
        ({"target_latency": "70%", "stack": Stack(backend="phone")}, UnknownNameError, "phone"),
        ({"target_macs": "50%"}, UsageError, "a stack does nothing without a target latency"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    machine: MadeUp, net: nn.Module, tmp_path: Path, asked: dict[str, object],
    error: type[Exception], words: str,
) -> None:  # fmt: skip
    options: dict[str, object] = {"stack": STACK, "input_size": SIZE, **asked}
    with pytest.raises(error) as caught:
        prune(net, output=tmp_path / "run", registry=registry_of(machine), **options)  # type: ignore[arg-type]
    assert words in f"{caught.value} {getattr(caught.value, 'hint', '')}"
    assert not (tmp_path / "run").exists()


def test_a_cut_that_the_stack_cannot_run_ends_the_run_with_its_reason(
    machine: MadeUp, net: nn.Module, tmp_path: Path
) -> None:
    def fails(_module: nn.Module) -> float:
        raise ModelError("the phone ran out of memory")

    registry = registry_of(machine)
    prune(
        net, target_latency="70%", stack=STACK, input_size=SIZE, output=tmp_path / "first",
        registry=registry,
    )  # fmt: skip
    whole = machine.seconds(net)
    machine.seconds = lambda module: whole if module is net else fails(module)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="out of memory"):
        prune(
            net, target_latency="75%", stack=STACK, input_size=SIZE, output=tmp_path / "run",
            registry=registry,
        )  # fmt: skip

"""The Python API on live networks: `ap_core.prune`, `profile`, `resume`, `load_model`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from ap_core import load_model, profile, prune
from ap_core import plugin as ap_core_plugin
from ap_core.errors import PluginError, RunError, UsageError
from ap_core.pipeline.prune import resume
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import ImportanceOffer, ModelAdapterOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.strategy import Strategy
from ap_models import plugin as ap_models_plugin
from ap_train import plugin as ap_train_plugin


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3),
            nn.BatchNorm2d(64), nn.ReLU(), nn.Dropout(0.5),
        )  # fmt: skip
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x).mean((2, 3)))


SIZE = (3, 32, 32)


def test_a_network_in_training_mode_is_pruned_and_left_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    pruned = prune(net, target_macs="50%", input_size=SIZE, output=tmp_path / "run")
    assert all(part.training for part in net.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert pruned.module is not None
    assert not pruned.module.training
    assert pruned.module(torch.zeros(1, *SIZE)).shape == (1, 10)
    again = load_model(tmp_path / "run", factory=Net)
    image = torch.randn(1, *SIZE)
    assert torch.equal(again(image), pruned.module(image))


def test_weights_that_cannot_be_had_are_warned_of_even_without_a_console(tmp_path: Path) -> None:
    code = f"""
from ap_core import prune
prune("test_resnet", target_macs="50%", output={str(tmp_path / "run")!r})
"""
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=offline, check=True
    )
    assert "UserWarning" in done.stderr
    assert "RANDOM WEIGHTS" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "named"), [({"trials": 0}, "trials"), ({"band": 2}, "band"), ({"sed": 1}, "sed")]
)
def test_wrong_options_are_usage_errors_that_name_them(
    wrong: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        prune(Net(), target_macs="50%", input_size=SIZE, **wrong)


def test_the_importance_of_a_strategy_is_the_one_that_scores(tmp_path: Path) -> None:
    pruned = prune(
        Net(), target_macs="50%", input_size=SIZE, strategy=Strategy(importance="l1"),
        output=tmp_path / "run",
    )  # fmt: skip
    assert pruned.record.result is not None
    assert pruned.record.result.importance == "l1"
    assert pruned.record.options["importance"] == "l1"


def test_a_search_does_not_go_on_with_another_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net()
    prune(net, target_macs="50%", input_size=SIZE, output=tmp_path / "run")
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace('"status": "done"', '"status": "running"'))
    with pytest.raises(RunError, match="weights of Net are not those"):
        resume(tmp_path / "run", module=Net())
    assert resume(tmp_path / "run", module=net).record.status == "done"


def test_a_search_whose_time_is_up_ends_with_what_it_has_and_says_why(tmp_path: Path) -> None:
    pruned = prune(
        Net(), target_macs="50%", input_size=SIZE, strategist="random", trials=9,
        search_seconds=1e-6, output=tmp_path / "run",
    )  # fmt: skip
    assert len(pruned.trials) == 1
    (line,) = (tmp_path / "run" / "decisions.jsonl").read_text().splitlines()
    assert json.loads(line)["reason"] == "the 1e-06 seconds of the search are spent"


def test_a_profile_needs_no_weights() -> None:
    with torch.device("meta"):
        net = Net()
    assert profile(net, input_size=SIZE).network.groups


class Unanswering:
    """A third party's adapter that raises whatever it is asked."""

    def resolve(self, name: str) -> str | None:
        raise OSError(f"no {name} today")

    def recognises(self, module: nn.Module) -> bool:
        return module.not_there  # type: ignore[return-value]


class Third:
    @hookimpl
    def ap_model_adapters(self) -> list[ModelAdapterOffer]:
        return [ModelAdapterOffer(name="third", summary="", load=Unanswering, priority=99)]

    @hookimpl
    def ap_importances(self) -> list[ImportanceOffer]:
        def fails(part: object, generator: object) -> None:
            raise ZeroDivisionError("by design")

        return [ImportanceOffer(name="fails", summary="", load=lambda: fails)]


@pytest.fixture
def registry() -> Registry:
    """Ours, and the third party's."""
    ours = [
        Plugin(
            owner=Owner(distribution=name, version="0.1.0", plugin=name), implementation=plugin
        )
        for name, plugin in (
            ("ap-core", ap_core_plugin), ("ap-models", ap_models_plugin),
            ("ap-train", ap_train_plugin),
        )
    ]  # fmt: skip
    owner = Owner(distribution="ap-third", version="2.0", plugin="third")
    return Registry.from_plugins([*ours, Plugin(owner=owner, implementation=Third())])


def test_an_adapter_that_raises_is_skipped_and_said_so(registry: Registry) -> None:
    with pytest.warns(UserWarning, match="third") as caught:
        found = profile("test_resnet", registry=registry)
    said = [str(warning.message) for warning in caught]
    assert "'third' of ap-third 2.0 failed: OSError: no test_resnet" in said[0]
    assert "AttributeError" in said[1]
    assert found.architecture.adapter == "resnet"


def test_an_importance_that_raises_names_its_plugin(registry: Registry, tmp_path: Path) -> None:
    with (
        pytest.warns(UserWarning, match="third"),
        pytest.raises(PluginError, match=r"'fails' of ap-third 2\.0 failed: ZeroDivisionError"),
    ):
        prune(
            timm.create_model("test_resnet"), target_macs="50%", importance="fails",
            registry=registry, output=tmp_path / "run",
        )  # fmt: skip

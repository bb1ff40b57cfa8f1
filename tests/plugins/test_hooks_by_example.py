"""The example in every hook's docstring, written to files and loaded as a plugin."""

import inspect
import re
import sys
import textwrap
from importlib import import_module

import pytest
import torch

from ap_core.cli.app import App
from ap_core.console import Console
from ap_core.contracts import Architecture, DataRequest, LlmSettings
from ap_core.errors import LlmError
from ap_core.plugins import hooks
from ap_core.plugins.loading import Plugin
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.testing import (
    check_dataset,
    check_exporter,
    check_importance,
    check_meter,
    check_model_adapter,
    check_recovery,
    check_strategist,
    check_timer,
)

OWNER = Owner(distribution="my-plugin", version="1.0", plugin="my-plugin")
FILE = re.compile(r"^(?:Example, |and )in my_plugin/(\w+\.py):\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def files_of(hook):
    """Files that the docstring of a hook shows, by name."""
    text = inspect.getdoc(getattr(hooks, hook)) + "\n"
    return {name: textwrap.dedent(code) for name, code in FILE.findall(text)}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Makes a package of the files that a hook's docstring shows; returns the registry of it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "my_plugin"
    package.mkdir()
    (package / "__init__.py").touch()

    def loaded(hook, **more_files):
        for name, code in (files_of(hook) | more_files).items():
            (package / name).write_text(code)
        plugin = Plugin(owner=OWNER, implementation=import_module("my_plugin.plugin"))
        registry = Registry.from_plugins([plugin])
        assert registry.problems == ()
        return registry

    yield loaded
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_plugin"]:
        del sys.modules[name]


@pytest.fixture
def module():
    torch.manual_seed(0)

    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(12, 5)

        def forward(self, images):
            return self.fc(images.flatten(1))

    return Small().eval()


REQUEST = DataRequest(
    name="noise",
    root=None,
    architecture=Architecture(adapter="a", name="n", num_classes=5, input_size=(3, 2, 2)),
    batch_size=4,
)


NETWORK = """
from torch import nn

class ToyMixer(nn.Sequential):
    image_size = 16

    def __init__(self, num_classes):
        super().__init__(
            nn.Conv2d(3, 8, 4, stride=4),
            nn.GELU(),
            nn.Conv2d(8, 8, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, num_classes),
        )
"""


def test_ap_model_adapters(load):
    adapter = load("ap_model_adapters", **{"network.py": NETWORK}).model_adapters["toymixer"].make()
    check_model_adapter(adapter, ["toymixer/tiny"])


def test_ap_importances(load):
    check_importance(load("ap_importances").importances["largest"])


def test_ap_llm_backends(load):
    connect = load("ap_llm_backends").llm_backends["local"].make()
    with pytest.raises(LlmError, match=r"no answer from http://127\.0\.0\.1:9/complete"):
        connect(LlmSettings(model="9")).complete(system="", prompt="", schema={})


def test_ap_strategists(load):
    offer = load("ap_strategists").strategists["smoothing"]
    assert offer.trials == 3
    check_strategist(offer.make)


def test_ap_recoveries(load, module):
    registry = load("ap_recoveries", **{"data.py": files_of("ap_datasets")["data.py"]})
    data = import_module("my_plugin.data").open_noise(REQUEST)
    check_recovery(registry.recoveries["centre-logits"].make(), module, data)


def test_ap_datasets(load):
    check_dataset(load("ap_datasets").datasets["noise"].make(), REQUEST)


def test_ap_meters(load, module):
    meter = load("ap_meters").meters["zeros"].make()
    check_meter(meter, module, input_size=(3, 2, 2))
    assert meter(module, input_size=(3, 2, 2), data=None) == {"zeros": 0, "weights": 65}


def test_ap_timers(load, module):
    check_timer(load("ap_timers").timers["exported"], module, module, input_size=(3, 2, 2))


def test_ap_exporters(load, module, tmp_path):
    offer = load("ap_exporters").exporters["exported-program"]
    check_exporter(offer, module, input_size=(3, 2, 2), place=tmp_path)


def test_ap_commands(load, capsys):
    registry = load("ap_commands")
    console = Console(out=sys.stdout, err=sys.stderr)
    command = registry.commands["hello"].make()
    command.main(["world"], standalone_mode=False, obj=App(registry=registry, console=console))
    assert capsys.readouterr().out == "hello world\n"


HOOKS = [name for name in vars(hooks) if name.startswith("ap_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_shows_a_plugin_and_has_a_test(hook):
    assert "plugin.py" in files_of(hook)
    assert f"test_{hook}" in globals()

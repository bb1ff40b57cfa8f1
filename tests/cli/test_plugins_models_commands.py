"""`ap plugins` and `ap models`, over registries that are made on the spot."""

import io
import json
from types import SimpleNamespace

import pytest

from ap_core.cli.main import run
from ap_core.cli.models import models
from ap_core.cli.plugins import plugins
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import CommandOffer, ImportanceOffer, ModelAdapterOffer
from ap_core.plugins.problems import Owner, Problem
from ap_core.plugins.registry import Registry

OWNER = Owner(distribution="ap-third", version="2.0", plugin="third")
ODD = Problem(owners=(OWNER,), what="it is odd", hint="mend it")


class Family:
    def __init__(self, *names):
        self._names = names

    def names(self):
        return self._names


def adapter(name, load, *, priority=0):
    return ModelAdapterOffer(name=name, summary="", load=load, priority=priority)


def registry_with(*adapters, problems=()):
    @hookimpl
    def ap_model_adapters():
        return adapters

    @hookimpl
    def ap_importances():
        return [ImportanceOffer(name=n, summary="", load="a:b") for n in ("mine", "ours")]

    @hookimpl
    def ap_commands():
        return [
            CommandOffer(name="models", summary="", load=lambda: models),
            CommandOffer(name="plugins", summary="", load=lambda: plugins),
        ]

    implementation = SimpleNamespace(
        ap_model_adapters=ap_model_adapters,
        ap_importances=ap_importances,
        ap_commands=ap_commands,
    )
    plugin = Plugin(owner=OWNER, implementation=implementation)
    return Registry.from_plugins([plugin], problems=problems)


FAMILIES = (
    adapter("any", lambda: Family("resnet18", "vit_tiny", "odd"), priority=-100),
    adapter("resnet", lambda: Family("resnet18", "resnet50"), priority=10),
)
BROKEN = adapter("broken", "no_such_module:Adapter")


def ap(registry, *arguments):
    out, err = io.StringIO(), io.StringIO()
    code = run(arguments, environment={}, out=out, err=err, find_plugins=lambda: registry)
    return code, out.getvalue(), err.getvalue()


def test_models_of_all_adapters_are_listed_with_the_one_of_highest_priority():
    assert ap(registry_with(*FAMILIES), "models") == (
        0,
        "model     adapter\nodd       any\nresnet18  resnet\nresnet50  resnet\nvit_tiny  any\n",
        "",
    )


def test_globs_choose_models():
    code, out, _ = ap(registry_with(*FAMILIES), "models", "vit*", "*50", "--json")
    assert code == 0
    assert json.loads(out) == {
        "schema": 1,
        "models": [
            {"name": "resnet50", "adapter": "resnet"},
            {"name": "vit_tiny", "adapter": "any"},
        ],
    }


def test_a_glob_that_nothing_matches_suggests_near_names():
    assert ap(registry_with(*FAMILIES), "models", "resnet5o") == (
        2,
        "",
        "error: unknown model 'resnet5o'\nhint: did you mean resnet50 or resnet18?\n",
    )


def test_one_adapter_can_be_asked_alone():
    _, out, _ = ap(registry_with(*FAMILIES), "models", "--adapter", "any")
    assert [line.split()[0] for line in out.splitlines()] == [
        "model",
        "odd",
        "resnet18",
        "vit_tiny",
    ]


def test_an_unknown_adapter_suggests_near_names():
    assert ap(registry_with(*FAMILIES), "models", "--adapter", "resnt") == (
        2,
        "",
        "error: unknown model adapter 'resnt'\nhint: did you mean resnet?\n",
    )


def test_an_adapter_that_fails_is_warned_about_and_the_others_are_listed():
    code, out, err = ap(registry_with(*FAMILIES, BROKEN), "models")
    assert code == 0
    assert len(out.splitlines()) == 5
    assert err.startswith("warning: the model adapter 'broken' of ap-third 2.0 cannot be made: ")
    assert err.endswith("uninstall ap-third; -v shows where it failed\n")


def test_an_adapter_that_fails_and_is_asked_for_ends_the_command():
    code, out, err = ap(registry_with(*FAMILIES, BROKEN), "models", "--adapter", "broken")
    assert (code, out) == (4, "")
    assert err.startswith("error: the model adapter 'broken' of ap-third 2.0 cannot be made: ")


def test_plugins_are_listed_with_what_they_offer():
    assert ap(registry_with(*FAMILIES), "plugins") == (
        0,
        "distribution  version  status  kind            offers\n"
        "ap-third      2.0      ok      model_adapters  any, resnet\n"
        "ap-third      2.0      ok      importances     mine, ours\n"
        "ap-third      2.0      ok      commands        models, plugins\n",
        "",
    )


def test_problems_are_told_once_by_the_table():
    code, out, err = ap(registry_with(problems=[ODD]), "plugins")
    assert code == 0
    assert "ap-third      2.0      problem  importances" in out
    assert err == "warning: plugin third of ap-third: it is odd\nhint: mend it\n"


def test_problems_are_in_the_document_and_not_on_stderr():
    code, out, err = ap(registry_with(problems=[ODD]), "plugins", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "schema": 1,
        "plugins": [
            {
                "distribution": "ap-third",
                "version": "2.0",
                "plugin": "third",
                "status": "problem",
                "offers": {"importances": ["mine", "ours"], "commands": ["models", "plugins"]},
                "problems": [{"what": "it is odd", "hint": "mend it"}],
            }
        ],
    }


def test_a_plugin_that_offers_nothing_is_listed_all_the_same():
    registry = Registry.from_plugins([], problems=[ODD])
    assert registry.owners == (OWNER,)
    full = registry_with(problems=[Problem(owners=(OWNER, EMPTY), what="clash")])
    _, out, _ = ap(full, "plugins")
    assert "ap-none       1.0      problem  -" in out


EMPTY = Owner(distribution="ap-none", version="1.0", plugin="none")


@pytest.mark.parametrize("command", ["plugins", "models"])
def test_help_is_shown_without_running(command, capsys):
    code, _, err = ap(registry_with(BROKEN), command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: ap {command}" in capsys.readouterr().out

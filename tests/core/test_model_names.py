"""What is said of a name that no model has."""

import pytest

from ap_core.errors import UnknownNameError
from ap_core.pipeline.opening.subject import builder_of
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import ModelAdapterOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry

OWNER = Owner(distribution="zoo", version="1", plugin="zoo")


class Zoo:
    """Adapter that lists two names, and builds neither."""

    def names(self):
        return ("resnet50", "torchvision/resnet18")

    def resolve(self, name):
        return None


class Plug:
    @hookimpl
    def ap_model_adapters(self):
        return [ModelAdapterOffer(name="zoo", summary=".", load=lambda: Zoo())]


def refusal(name):
    registry = Registry.from_plugins([Plugin(owner=OWNER, implementation=Plug())])
    with pytest.raises(UnknownNameError) as caught:
        builder_of(registry, name)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("name", ["runs/nosuch", "runs/resnet50-2G-1", "../w.pth", "/tmp/none"])
def test_what_looks_like_a_path_is_no_run_and_no_file(name):
    assert refusal(name) == (
        f"there is no run or file {name}, and no model of that name",
        "'ap runs' lists the runs, 'ap models' the models",
    )


@pytest.mark.parametrize("name", ["resnet5o", "torchvision/resnet5o"])
def test_what_looks_like_a_model_is_told_the_nearest(name):
    message, hint = refusal(name)
    assert message == f"unknown model '{name}'"
    assert "did you mean" in hint

"""Networks that a user's own function makes."""

import sys
import textwrap

import pytest
import torch

from ap_core.errors import ModelError
from ap_models.loading.factories import build_from_factory, is_factory

SOURCE = """
    from torch import nn

    class Net(nn.Sequential):
        def __init__(self, num_classes=5):
            super().__init__(nn.Flatten(), nn.Linear(12, num_classes))

    def plain():
        return Net()

    def flexible(**options):
        return Net(options["num_classes"])

    def sized(input_size):
        assert input_size == (3, 2, 2)
        return Net()

    def text():
        return "a network"

    def broken():
        raise LookupError("no such layer")

    made = Net()
    number = 3
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Name of a module in the current directory, which is not on the path."""
    (tmp_path / "own_networks.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.chdir(tmp_path)
    yield "own_networks"
    sys.modules.pop("own_networks", None)


@pytest.mark.parametrize("name", ["package.module:factory", "module:Class.make"])
def test_a_dotted_path_with_a_colon_names_a_factory(name):
    assert is_factory(name)


@pytest.mark.parametrize(
    "name", ["resnet50", "resnet50.tv_in1k", "a:", ":b", "C:\\models", "a/b:c"]
)
def test_other_names_do_not(name):
    assert not is_factory(name)


def test_a_function_in_the_current_directory_is_found(own_module):
    path = list(sys.path)
    module = build_from_factory(f"{own_module}:plain")
    assert module(torch.zeros(1, 3, 2, 2)).shape == (1, 5)
    assert not module.training
    assert sys.path == path


@pytest.mark.parametrize("factory", ["Net", "flexible"])
def test_the_number_of_classes_is_passed_on(own_module, factory):
    module = build_from_factory(f"{own_module}:{factory}", num_classes=9)
    assert module[1].out_features == 9


def test_the_input_size_is_passed_on_to_who_wants_it(own_module):
    assert build_from_factory(f"{own_module}:sized", input_size=(3, 2, 2))
    assert build_from_factory(f"{own_module}:plain", input_size=(3, 2, 2))


def test_it_works_on_the_meta_device(own_module):
    with torch.device("meta"):
        assert build_from_factory(f"{own_module}:plain")[1].weight.is_meta


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_networks:make", "there is no module 'no_such_networks' for the model"),
        ("own_networks.inner:make", "there is no module 'own_networks.inner' for the model"),
        ("own_networks:nothing", "the module 'own_networks' has no 'nothing'"),
        ("own_networks:number", "own_networks:number is int, not a function"),
        ("own_networks:made", "own_networks:made is Net, not a function"),
        ("own_networks:text", "own_networks:text returned str, not a torch.nn.Module"),
        ("own_networks:broken", "own_networks:broken raised LookupError: no such layer"),
        ("own_networks:sized", "own_networks:sized raised TypeError: .*input_size"),
    ],
)
def test_what_goes_wrong_is_said(own_module, name, message):
    with pytest.raises(ModelError, match=message):
        build_from_factory(name)


def test_the_cause_is_kept(own_module):
    with pytest.raises(ModelError) as caught:
        build_from_factory(f"{own_module}:broken")
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize("line", ["import no_such_library", "1 / 0"])
def test_a_module_that_fails_to_import_is_told_apart_from_a_missing_one(own_module, tmp_path, line):
    (tmp_path / "fails_to_import.py").write_text(line)
    with pytest.raises(ModelError, match="importing 'fails_to_import' raised"):
        build_from_factory("fails_to_import:make")


def test_classes_for_a_function_that_takes_none_are_refused(own_module):
    with pytest.raises(ModelError, match="takes no argument num_classes"):
        build_from_factory(f"{own_module}:plain", num_classes=3)

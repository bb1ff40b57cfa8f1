"""What --data may say, and what a run keeps of it."""

from pathlib import Path

import pytest

from ap_core.contracts import Architecture, DataRequest
from ap_core.errors import UnknownNameError
from ap_core.pipeline.opening.data import located, open_source
from ap_core.pipeline.options import PruneOptions
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import DatasetOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry

OWNER = Owner(distribution="sets", version="1", plugin="sets")
ARCHITECTURE = Architecture(adapter="toy", name="toy", num_classes=10, input_size=(3, 8, 8))


class Sets:
    """Offers a named data set, folders, and names with a prefix."""

    @hookimpl
    def ap_datasets(self):
        names = {"digits": (), "folder": (), "hub": ("hfds/", "wds/")}
        return [
            DatasetOffer(name=name, summary=".", load="sets:no", prefixes=prefixes)
            for name, prefixes in names.items()
        ]


@pytest.fixture
def registry():
    return Registry.from_plugins([Plugin(owner=OWNER, implementation=Sets())])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(registry, **given):
    return located(registry, PruneOptions(model="toy", **given))


@pytest.mark.parametrize("typed", ["shapes", "./shapes", "sets/shapes"])
def test_a_folder_is_kept_as_an_absolute_path(registry, here, typed):
    Path(typed).mkdir(parents=True)
    assert kept(registry, data=typed).data == str(here / typed)


@pytest.mark.parametrize("name", ["digits", "hfds/mnist"])
def test_a_name_is_kept_as_it_is_though_there_is_a_folder_of_it(registry, name):
    Path(name).mkdir(parents=True)
    assert kept(registry, data=name).data == name


def test_no_data_stay_none(registry):
    assert kept(registry).data == ""


def test_what_is_not_there_is_kept_as_typed(registry):
    assert kept(registry, data="no/such").data == "no/such"


def test_other_paths_are_kept_absolute_too(registry, here):
    found = kept(registry, data="digits", data_root=Path("cache"), checkpoint=Path("w.pth"))
    assert (found.data_root, found.checkpoint) == (here / "cache", here / "w.pth")


def test_an_unknown_data_set_is_told_what_can_be_typed(registry):
    request = DataRequest(name="shapes", root=None, architecture=ARCHITECTURE)
    with pytest.raises(UnknownNameError) as caught:
        open_source(registry, request)
    assert caught.value.message == "unknown data set 'shapes'"
    assert caught.value.hint == "known: digits, a folder of class folders, hfds/NAME, wds/NAME"


def test_a_misspelt_data_set_is_told_the_nearest(registry):
    with pytest.raises(UnknownNameError) as caught:
        open_source(registry, DataRequest(name="digts", root=None, architecture=ARCHITECTURE))
    assert caught.value.hint == "did you mean digits?"

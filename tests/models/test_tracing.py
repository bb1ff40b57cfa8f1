"""Tracing: which channels form groups, why some are locked, and what importances see of them."""

import numpy as np
import pytest
import torch
from torch import nn

from ap_core.contracts import ModelRequest
from ap_core.errors import ModelError
from ap_models.adapters.generic import GenericAdapter
from ap_models.tracing.forward import Calls
from ap_models.tracing.graph import Structure
from ap_models.tracing.groups import find_groups
from ap_models.tracing.labels import Labels
from ap_models.tracing.ports import Port
from ap_models.tracing.rehearsal import LENGTH
from ap_models.tracing.slices import parts


class Stubborn(nn.Module):
    """Two hidden widths; the forward pass insists on the size of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 1)
        self.second = nn.Conv2d(8, 12, 1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        if x.shape[1] != 8:
            raise KeyError("eight channels, " + "and nothing but eight channels, " * 20)
        return self.head(self.second(x).mean((2, 3)))


def traced(module: nn.Module, adapter: GenericAdapter):
    architecture = adapter.describe(module, name="live:Net", input_size=(3, 8, 8))
    return adapter.trace(module, architecture)


def test_a_group_that_cannot_be_cut_says_why() -> None:
    locked = {g.name: g.locked for g in traced(Stubborn(), GenericAdapter()).network.groups}
    assert locked["second"] == ""
    assert locked["first"].startswith("when it is cut: the network cannot be run without weights")
    assert "eight channels" in locked["first"]
    assert len(locked["first"]) <= LENGTH


def test_a_fault_of_the_surgery_is_not_taken_for_one_of_the_network() -> None:
    class Faulty(GenericAdapter):
        def cut(self, module, tracing, plan):
            return plan.no_such_attribute

    with pytest.raises(AttributeError, match="no_such_attribute"):
        traced(Stubborn(), Faulty())


def test_a_network_in_which_nothing_can_be_cut_is_refused_with_the_reason() -> None:
    class Fussy(GenericAdapter):
        def cut(self, module, tracing, plan):
            raise ModelError("not today")

    with pytest.raises(ModelError, match="live:Net cannot be cut: not today"):
        traced(Stubborn(), Fussy())


def test_a_network_that_torch_pruning_cannot_follow_is_refused() -> None:
    adapter = GenericAdapter()
    loaded = adapter.skeleton(ModelRequest(name="torchvision/shufflenet_v2_x0_5"))
    with pytest.raises(ModelError, match="torch-pruning cannot trace ShuffleNetV2") as caught:
        adapter.trace(loaded.module, loaded.architecture)
    assert "write a model adapter" in caught.value.hint


def test_a_frozen_network_shows_its_biases() -> None:
    adapter = GenericAdapter()
    size = (3, 64, 64)
    loaded = adapter.skeleton(ModelRequest(name="test_resnet", input_size=size, num_classes=4))
    tracing = adapter.trace(loaded.module, loaded.architecture)

    def biases() -> list[bool]:
        names = [group.name for group in tracing.network.free]
        slices = [part.slice for name in names for part in parts(tracing, loaded.module, name)]
        return [slice_.bias is not None for slice_ in slices]

    loaded.module.requires_grad_(requires_grad=True)
    expected = biases()
    loaded.module.requires_grad_(requires_grad=False)
    assert any(expected)
    assert biases() == expected


@pytest.mark.parametrize("outside", [True, False])
def test_only_channels_outside_are_in_no_group_however_the_lock_is_worded(outside: bool) -> None:
    labels = Labels()
    channels = labels.fresh(4)
    labels.lock(channels, "the pride of the network", outside=outside)
    port = Port(layer="fc", kind="linear", role="out", channels=channels, tensors=())
    structure = Structure(ports=(port,), labels=labels, calls=Calls(shapes={}, order={}))
    layouts = find_groups(structure, [port], lambda path: path)
    assert [(layout.group.name, layout.group.locked) for layout in layouts] == (
        [] if outside else [("fc", "the pride of the network")]
    )
    assert all(np.array_equal(layout.components, channels) for layout in layouts)

"""What ap brings passes the conformance kit; adapters, on small networks of their family."""

import pytest

from ap_core.contracts import Architecture, DataRequest
from ap_core.plugins.registry import Registry
from ap_core.testing import check_command, check_dataset, check_model_adapter

NETWORKS = [
    ("resnet", "test_resnet"),
    ("resnet", "torchvision/resnet18"),
    ("convnext", "test_convnext"),
    ("vit", "test_vit"),
    ("generic", "test_mambaout"),
    ("generic", "test_efficientnet"),
]


@pytest.mark.parametrize(("adapter", "name"), NETWORKS)
def test_a_built_in_adapter_conforms(adapter, name):
    made = Registry.from_entry_points().model_adapters[adapter].make()
    size = None if adapter == "vit" else (3, 64, 64)
    check_model_adapter(made, [name], num_classes=7, input_size=size)


@pytest.mark.parametrize(("dataset", "classes"), [("digits", 10), ("glyphs", 32)])
def test_a_built_in_data_set_conforms(dataset, classes):
    architecture = Architecture(
        adapter="resnet", name="timm/test_resnet", num_classes=classes, input_size=(3, 32, 32)
    )
    request = DataRequest(
        name=dataset, root=None, architecture=architecture, calibration=64, held_out=100
    )
    check_dataset(Registry.from_entry_points().datasets[dataset].make(), request)


@pytest.mark.parametrize("name", ["demo", "eval", "finetune"])
def test_a_built_in_command_conforms(name):
    check_command(Registry.from_entry_points().commands[name].make())

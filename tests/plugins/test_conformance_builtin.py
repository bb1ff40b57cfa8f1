"""Every adapter that ap brings passes the conformance kit, on small networks of its family."""

import pytest

from ap_core.plugins.registry import Registry
from ap_core.testing import check_model_adapter

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

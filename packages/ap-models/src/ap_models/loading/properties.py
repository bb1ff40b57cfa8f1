"""What a network tells of itself: classes, input size, preprocessing."""

from collections.abc import Mapping

import torch
from torch.nn import Conv2d, Module

from ap_core.contracts import Architecture
from ap_core.errors import ModelError
from ap_models.loading.zoo import TIMM, TORCHVISION, resolve, torchvision_weights
from ap_models.skeleton import CANNOT_RUN, blank_images, meta_copy

DEFAULT_SIDE = 224


def describe(
    module: Module,
    *,
    adapter: str,
    name: str,
    input_size: tuple[int, int, int] | None = None,
) -> Architecture:
    """How to build the network again.

    name: canonical, or `package.module:factory`. input_size: None for the network's own.
    """
    size = input_size or default_input_size(module, name)
    return Architecture(
        adapter=adapter,
        name=name,
        num_classes=_stated_classes(module, name) or num_classes(module, size),
        input_size=size,
        preprocessing=preprocessing(module, name, size),
    )


def default_input_size(module: Module, name: str = "") -> tuple[int, int, int]:
    """Size of image, (channels, height, width), that the network was made for.

    name: canonical; empty for a network of unknown making.
    """
    height, width = _own_side(module, name)
    first = next((m for m in module.modules() if isinstance(m, Conv2d)), None)
    return (first.in_channels if first else 3, height, width)


def num_classes(module: Module, input_size: tuple[int, int, int]) -> int:
    """How many classes the network tells apart: the length of its output for one image.

    Raises: ModelError where the output is not one row of numbers for each image.
    """
    twin = meta_copy(module).eval()
    try:
        # Tensors that the network makes on its way must be on the meta device too.
        with torch.no_grad(), torch.device("meta"):
            output = twin(blank_images(twin, input_size, count=2))
    except CANNOT_RUN as error:
        side = " x ".join(map(str, input_size))
        raise ModelError(
            f"the network cannot be run on an image of {side}: {error}",
            hint="give the size that it was made for with --input-size",
        ) from error
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        kind = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ModelError(f"not a classifier: for 2 images its output is {kind}")
    return int(output.shape[1])


def _stated_classes(module: Module, name: str) -> int:
    """Number of classes that a network of timm's states, which is right; 0 for any other."""
    stated = getattr(module, "num_classes", 0) if name.startswith(TIMM) else 0
    return stated if isinstance(stated, int) else 0


def preprocessing(
    module: Module, name: str, input_size: tuple[int, int, int]
) -> Mapping[str, object]:
    """How images become input: interpolation, crop_pct, crop_mode, mean, std; ready for JSON.

    From the published configuration, else ImageNet's usual one.
    """
    from timm.data import resolve_data_config

    config: dict[str, object] = dict(getattr(module, "pretrained_cfg", None) or {})
    if name.startswith(TORCHVISION):
        config = _torchvision_config(name)
    found = resolve_data_config({"input_size": input_size}, pretrained_cfg=config)
    for key in ("mean", "std"):
        if len(found[key]) != input_size[0]:
            found[key] = (sum(found[key]) / len(found[key]),) * input_size[0]
    return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}


def _own_side(module: Module, name: str) -> tuple[int, int]:
    fixed = getattr(getattr(module, "patch_embed", None), "img_size", None)
    if isinstance(fixed, tuple) and len(fixed) == 2:
        return fixed
    side = getattr(module, "image_size", None)
    if isinstance(side, int):
        return (side, side)
    config = getattr(module, "pretrained_cfg", None) or {}
    if isinstance(config, dict) and config.get("input_size"):
        height, width = config["input_size"][1:]
        return (height, width)
    if name.startswith(TORCHVISION):
        side = int(torchvision_weights(resolve(name) or name).transforms().crop_size[0])
        return (side, side)
    return (DEFAULT_SIDE, DEFAULT_SIDE)


def _torchvision_config(name: str) -> dict[str, object]:
    transforms = torchvision_weights(resolve(name) or name).transforms()
    crop, resize = transforms.crop_size[0], transforms.resize_size[0]
    return {
        "crop_pct": round(crop / resize, 4),
        "interpolation": transforms.interpolation.value,
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
    }

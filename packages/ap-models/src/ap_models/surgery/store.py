"""Saving a network, and turning a whole one on the meta device into the saved cut one."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from ap_core.contracts import Surgery
from ap_core.errors import CheckpointError
from ap_models.surgery.cut import replace_module, set_attributes
from ap_models.surgery.tensors import named_tensors, owner, replace_tensor, tensor_at

REPAIR = "the run directory is damaged, or was changed by hand; prune again"


def save(module: nn.Module, path: Path) -> None:
    """Write parameters and buffers as safetensors, sorted by name; tied ones once."""
    from safetensors.torch import save_file

    tensors = named_tensors(module)
    save_file({name: tensors[name].detach().contiguous() for name in sorted(tensors)}, path)


def restore(module: nn.Module, surgery: Surgery, weights: Path) -> nn.Module:
    """Turn the whole network (on the meta device) into the cut one, in place.

    Raises: CheckpointError where the file is damaged or does not fit.
    """
    tensors = _read(weights)
    try:
        for path, kind in surgery.replaced.items():
            replace_module(module, path, kind)
        for path, values in surgery.attributes.items():
            set_attributes(module.get_submodule(path), values)
    except (AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{weights}: the surgery does not fit: {error}", hint=REPAIR
        ) from error
    places = _places(module)
    missing = sorted(places.keys() - tensors.keys())
    foreign = sorted(tensors.keys() - places.keys())
    if missing or foreign:
        names = ", ".join((missing + foreign)[:3])
        raise CheckpointError(
            f"{weights} does not fit: {len(missing)} tensors missing, {len(foreign)} foreign "
            f"({names})",
            hint=REPAIR,
        )
    for name, paths in places.items():
        _assign(module, paths, tensors[name])
    misfit = next(_misfits(module), "")
    if misfit:
        raise CheckpointError(f"{weights} does not fit: {misfit}", hint=REPAIR)
    return module.eval()


def _misfits(module: nn.Module) -> Iterator[str]:
    """Layers whose weights are not as wide as the layer says."""
    for path, child in module.named_modules():
        expected = _weight_shape(child)
        weight = getattr(child, "weight", None)
        if expected and isinstance(weight, Tensor) and tuple(weight.shape) != expected:
            yield f"the weights of {path} are {tuple(weight.shape)}, not {expected}"


def _weight_shape(module: nn.Module) -> tuple[int, ...]:
    """Shape that a layer's weights have by what it says of itself; empty where it says nothing."""
    shape: tuple[int, ...] = ()
    match module:
        case nn.modules.conv._ConvTransposeNd():
            shape = (module.in_channels, module.out_channels // module.groups, *module.kernel_size)
        case nn.modules.conv._ConvNd():
            shape = (module.out_channels, module.in_channels // module.groups, *module.kernel_size)
        case nn.Linear():
            shape = (module.out_features, module.in_features)
        case nn.modules.batchnorm._BatchNorm():
            shape = (module.num_features,)
        case nn.LayerNorm():
            shape = tuple(module.normalized_shape)
        case nn.GroupNorm():
            shape = (module.num_channels,)
    return shape


def _read(weights: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # As they lie in the file, tensors are not aligned, and kernels round by how they are.
        # Copies are alike in every process, and stay what they are where the file changes.
        return {name: tensor.clone() for name, tensor in load_file(weights).items()}
    except FileNotFoundError as error:
        raise CheckpointError(f"{weights} is not there", hint=REPAIR) from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} cannot be read: {error}", hint=REPAIR) from error


def _places(module: nn.Module) -> dict[str, list[str]]:
    """Paths of every tensor under its first name: several where it is tied."""
    first: dict[int, str] = {}
    places: dict[str, list[str]] = defaultdict(list)
    everything = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    for path, tensor in everything:
        places[first.setdefault(id(tensor), path)].append(path)
    return dict(places)


def _assign(module: nn.Module, paths: list[str], value: Tensor) -> None:
    """Put a tensor in all its places, tied."""
    replace_tensor(module, paths[0], value)
    shared = tensor_at(module, paths[0])
    for path in paths[1:]:
        holder, name = owner(module, path)
        table = holder._parameters if name in holder._parameters else holder._buffers
        table[name] = shared  # type: ignore[assignment]

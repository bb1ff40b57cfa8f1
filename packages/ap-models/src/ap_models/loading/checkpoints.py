"""Weights from a file: read without running code from it, checked, then assigned."""

import json
import pickle
import struct
import sys
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import torch
from torch import Tensor
from torch.nn import Linear, Module

from ap_core.errors import CheckpointError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
SHOWN = 4
"""How many tensors an error names."""

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")

_GARBLED = (
    AssertionError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What torch's reader raises on bytes that are no checkpoint."""

State = dict[str, Tensor]


def load_checkpoint(module: Module, path: Path) -> None:
    """Assign the tensors of a checkpoint to the network, all or none.

    path: .safetensors, or .pth, .pt, .bin with a state dict, bare or wrapped as trainers do.
    Raises: CheckpointError; the network is untouched then.
    """
    state = _matching(module, read_checkpoint(path))
    misfit = _compare(module, state)
    if misfit.any:
        raise _does_not_fit(module, path, misfit)
    module.load_state_dict(state)


def read_checkpoint(path: Path) -> State:
    """Tensors of a checkpoint by their names, wrappers and prefixes taken off.

    Raises: CheckpointError where it is no checkpoint, is damaged, or holds code.
    """
    if path.is_dir():
        raise CheckpointError(
            f"{path} is a directory, not a checkpoint", hint="name the file with the weights in it"
        )
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    if path.suffix not in SUFFIXES:
        raise CheckpointError(
            f"{path} does not end like a checkpoint", hint=f"known: {', '.join(SUFFIXES)}"
        )
    if path.stat().st_size == 0:
        raise CheckpointError(f"the checkpoint {path} is empty")
    _refuse_cut_network(path)
    read = _read_safetensors if path.suffix == ".safetensors" else _read_pickle
    try:
        state = _unwrapped(read(path))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not state:
        raise CheckpointError(
            f"the checkpoint {path} holds no tensors under names",
            hint="save the state dict: torch.save(model.state_dict(), path)",
        )
    return state


def _refuse_cut_network(path: Path) -> None:
    record = path.parent / "run.json"
    if path.suffix != ".safetensors" or not record.is_file():
        return
    try:
        known = isinstance(json.loads(record.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        known = False
    if known and (path.parent / "plan.json").is_file():
        raise CheckpointError(
            f"{path} belongs to a run: its network was cut and does not fit the whole one",
            hint=f"load the run instead: ap_core.load_model({str(path.parent)!r})",
        )


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise _damaged(path) from error


def _read_pickle(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            # torch warns of pickles that other programs made; what follows decides about them.
            warnings.simplefilter("ignore", UserWarning)
            found: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickle(path):
            raise _damaged(path) from error
        raise CheckpointError(
            f"{path} holds pickled objects besides tensors, and loading them could run code",
            hint="where the file was made: torch.save(model.state_dict(), path), then use that",
        ) from error
    except _GARBLED as error:
        raise _damaged(path) from error
    return found


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return is_zipfile(path) or file.read(1) == pickle.PROTO


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is no checkpoint, or a damaged one",
        hint="was it copied or downloaded to its end?",
    )


def _unwrapped(found: object) -> State:
    """Tensors by names, out of what trainers and data parallelism wrap around them."""
    while isinstance(found, Mapping):
        inner = next((found[k] for k in _WRAPPERS if isinstance(found.get(k), Mapping)), None)
        if inner is None:
            break
        found = inner
    if not isinstance(found, Mapping):
        return {}
    state = OrderedDict((_bare(str(k)), v) for k, v in found.items() if isinstance(v, Tensor))
    # Torch keeps the versions of the layers there; some read older tensors by them.
    vars(state).update(getattr(found, "__dict__", {}))
    return state


def _bare(key: str) -> str:
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _matching(module: Module, state: State) -> State:
    """The tensors as they are, or, where they do not fit, as the model's own filter maps them."""
    if not _compare(module, state).any:
        return state
    convert = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        converted: State = convert(dict(state), module)
    except (
        AssertionError,
        AttributeError,
        IndexError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ):
        # A filter is written for the family's own checkpoints; a foreign file is told of as it is.
        return state
    return state if _compare(module, converted).any else converted


@dataclass(frozen=True, kw_only=True)
class _Misfit:
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def any(self) -> bool:
        return bool(self.missing or self.unexpected or self.shapes)


def _compare(module: Module, state: State) -> _Misfit:
    own = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return _Misfit(
        missing=tuple(name for name in own if name not in state),
        unexpected=tuple(name for name in state if name not in own),
        shapes={
            name: (tuple(state[name].shape), shape)
            for name, shape in own.items()
            if name in state and tuple(state[name].shape) != shape
        },
    )


def _does_not_fit(module: Module, path: Path, misfit: _Misfit) -> CheckpointError:
    found = [
        f"{name} is {_shape(theirs)} in the file, {_shape(ours)} in the network"
        for name, (theirs, ours) in misfit.shapes.items()
    ]
    problems = [
        _listed("wrong shapes", found),
        _listed("missing", misfit.missing),
        _listed("not in the network", misfit.unexpected),
    ]
    text = "; ".join(filter(None, problems))
    return CheckpointError(
        f"the checkpoint {path} does not fit the network: {text}", hint=_advice(module, misfit)
    )


def _advice(module: Module, misfit: _Misfit) -> str:
    # A distilled network has two classifiers.
    last = [(name, m) for name, m in module.named_modules() if isinstance(m, Linear)][-2:]
    classifiers = [name for name, m in last if m.out_features == last[-1][1].out_features]
    ours = {f"{name}.{kind}" for name in classifiers for kind in ("weight", "bias")}
    if misfit.shapes and not misfit.missing and misfit.shapes.keys() <= ours:
        classes = next(iter(misfit.shapes.values()))[0][0]
        return f"only the classifier differs: say --num-classes {classes}"
    return "is it a checkpoint of this model, with its classes and its input size?"


def _listed(what: str, names: tuple[str, ...] | list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what}: {', '.join(names[:SHOWN])}{more}"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"

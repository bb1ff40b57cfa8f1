"""The state of a training on disk: tensors and numbers, no pickle; same state, same bytes."""

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from ap_core.errors import CheckpointError
from ap_core.runs.records import EpochRecord, Record

ABOUT = "about"


class Standing(Record):
    """Where a training stands, between two updates; the same on every process.

    epoch, update: of the next update, the latter within the epoch. seconds: spent on this epoch.
    total, updates: sum of the losses of this epoch's updates so far, and how many they are.
    accumulate: passes of one update; more than asked for where memory ran out.
    history: of the epochs that are done. best: epoch whose weights are kept; None before the first.
    skipped: images that could not be read and were left out.
    """

    epoch: int = 0
    update: int = 0
    seconds: float = 0.0
    updates: int = 0
    total: float = 0.0
    accumulate: int = 1
    history: tuple[EpochRecord, ...] = ()
    best: int | None = None
    skipped: tuple[str, ...] = Field(default=())


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What has state: the network, its optimizer, the average of its weights, the loss scaler."""

    module: Module
    optimizer: Optimizer
    average: Module | None
    scaler: torch.amp.GradScaler | None


def save_state(path: Path, parts: Parts, standing: Standing) -> None:
    """Write all that `load_state` needs to go on as if nothing had happened."""
    from safetensors.torch import save_file

    tensors = _weights(parts)
    about = {
        "standing": standing.model_dump(mode="json"),
        "optimizer": optimizer_state(parts.optimizer, tensors),
        "scaler": None if parts.scaler is None else parts.scaler.state_dict(),
    }
    copies = {name: tensors[name].detach().cpu().clone().contiguous() for name in sorted(tensors)}
    save_file(copies, path, metadata={ABOUT: json.dumps(about, sort_keys=True)})


def load_state(path: Path, parts: Parts) -> Standing:
    """Put a saved state into the parts, and say where the training stands.

    Raises: CheckpointError where the file is damaged, or of another network or optimizer.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[ABOUT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        parts.module.load_state_dict(_below("module.", tensors))
        if parts.average is not None:
            parts.average.load_state_dict(_below("average.", tensors))
        restore_optimizer(parts.optimizer, about["optimizer"], tensors)
        if parts.scaler is not None and about["scaler"]:
            parts.scaler.load_state_dict(about["scaler"])
        return Standing.model_validate_json(json.dumps(about["standing"]), strict=True)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is no state of this training: {error}",
            hint="delete it, and the training starts anew",
        ) from error


def optimizer_state(optimizer: Optimizer, tensors: MutableMapping[str, Tensor]) -> object:
    """All that an optimizer remembers, as JSON; its tensors are put beside it, by name.

    Raises: TypeError for what neither can hold.
    """
    state = optimizer.state_dict()
    groups = [{k: v for k, v in group.items() if k != "params"} for group in state["param_groups"]]
    return _encoded({**state, "param_groups": groups}, "optimizer", tensors)


def restore_optimizer(optimizer: Optimizer, about: object, tensors: Mapping[str, Tensor]) -> None:
    """Let an optimizer remember again. Raises: as torch does for another one's state."""
    state = _decoded(about, tensors)
    own = optimizer.state_dict()["param_groups"]
    groups = [
        {**group, "params": mine["params"]}
        for group, mine in zip(state["param_groups"], own, strict=True)
    ]
    optimizer.load_state_dict({**state, "param_groups": groups})


def _weights(parts: Parts) -> dict[str, Tensor]:
    tensors = {f"module.{name}": value for name, value in parts.module.state_dict().items()}
    if parts.average is not None:
        tensors |= {f"average.{name}": v for name, v in parts.average.state_dict().items()}
    return tensors


def _encoded(value: object, name: str, tensors: MutableMapping[str, Tensor]) -> object:
    """JSON that keeps what it leaves to the types: keys that are numbers, and tuples."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Tensor():
            tensors[name] = value
            return {"tensor": name}
        case torch.dtype():
            return {"dtype": str(value).removeprefix("torch.")}
        case dict():
            items = [[k, _encoded(each, f"{name}.{k}", tensors)] for k, each in value.items()]
            return {"dict": items}
        case list() | tuple():
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [_encoded(each, f"{name}.{i}", tensors) for i, each in enumerate(value)]}
        case _:
            raise TypeError(f"{name} is a {type(value).__name__}, which cannot be saved")


def _decoded(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    match kind:
        case "tensor":
            return tensors[inner]
        case "dtype":
            return getattr(torch, inner)
        case "dict":
            return {key: _decoded(each, tensors) for key, each in inner}
        case "tuple":
            return tuple(_decoded(each, tensors) for each in inner)
        case _:
            return [_decoded(each, tensors) for each in inner]


def _below(prefix: str, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}

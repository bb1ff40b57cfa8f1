"""The state of a training on disk: tensors and numbers, no pickle; same state, same bytes."""

import json
from collections.abc import Mapping
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
    """Where a training stands, between two updates.

    epoch, update: of the next update, the latter within the epoch. total, images: sum of the
    losses of this epoch's updates so far, and the number of the updates.
    accumulate: passes of one update; more than asked for where memory ran out.
    history: of the epochs that are done. best: epoch whose weights are kept; None before the first.
    """

    epoch: int = 0
    update: int = 0
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

    tensors, numbers = _flat(parts)
    about = {"standing": standing.model_dump(mode="json"), "numbers": numbers}
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
        _restore(parts, tensors, about["numbers"])
        return Standing.model_validate_json(json.dumps(about["standing"]), strict=True)
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is no state of this training: {error}",
            hint="delete it, and the training starts anew",
        ) from error


def _flat(parts: Parts) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors = {f"module.{name}": value for name, value in parts.module.state_dict().items()}
    if parts.average is not None:
        tensors |= {f"average.{name}": v for name, v in parts.average.state_dict().items()}
    numbers: dict[str, Any] = {}
    for index, state in parts.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            kept = tensors if isinstance(value, Tensor) else numbers
            kept[f"optimizer.{index}.{name}"] = value
    if parts.scaler is not None:
        numbers["scaler"] = parts.scaler.state_dict()
    return tensors, numbers


def _restore(parts: Parts, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    parts.module.load_state_dict(_below("module.", tensors))
    if parts.average is not None:
        parts.average.load_state_dict(_below("average.", tensors))
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**_below("optimizer.", tensors), **_below("optimizer.", numbers)}.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    groups = parts.optimizer.state_dict()["param_groups"]
    parts.optimizer.load_state_dict({"state": state, "param_groups": groups})
    if parts.scaler is not None and "scaler" in numbers:
        parts.scaler.load_state_dict(numbers["scaler"])


def _below(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}

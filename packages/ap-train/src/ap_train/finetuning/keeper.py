"""Keeping a training in its run's directory."""

from pathlib import Path

from torch.nn import Module

from ap_core.contracts import ModelAdapter
from ap_core.runs.directory import TRAINED, RunDirectory
from ap_core.runs.records import TrainingRecord
from ap_train.training.state import Parts, Standing, load_state, save_state

STATE = "finetune/state.safetensors"
LAST = "finetune/last.safetensors"


class RunKeeper:
    """A `Keeper` in a run directory. training: record of the training, without its epochs."""

    def __init__(self, run: RunDirectory, adapter: ModelAdapter, training: TrainingRecord) -> None:
        self._run = run
        self._adapter = adapter
        self._training = training

    def load(self, parts: Parts) -> Standing | None:
        """Last state, on every process. Raises: CheckpointError."""
        place = self._run.path / STATE
        return load_state(place, parts) if place.exists() else None

    def save(self, parts: Parts, standing: Standing) -> None:
        """Write the state, then the record of its epochs. Raises: RunError."""
        with self._run.writing(STATE) as place:
            save_state(place, parts, standing)
        done = {"history": standing.history, "best": standing.best, "skipped": standing.skipped}
        self._run.write_training(self._training.model_copy(update=done))

    def best(self, module: Module) -> None:
        """Write the weights. Raises: RunError."""
        with self._run.writing(TRAINED) as place:
            self._adapter.save(module, place)

    def restore(self, module: Module) -> None:
        """Leave the network with its last weights: the best are read from their file."""

    def last(self, module: Module) -> None:
        """Write the weights that the training ended with. Raises: RunError."""
        with self._run.writing(LAST) as place:
            self._adapter.save(module, place)


def has_state(path: Path) -> bool:
    """Whether there is a state in a run directory to go on from."""
    return (path / STATE).exists()


def drop_state(path: Path) -> None:
    """Remove the state, where there is one."""
    (path / STATE).unlink(missing_ok=True)

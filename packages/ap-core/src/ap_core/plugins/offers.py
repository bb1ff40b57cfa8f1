"""Offers: the small frozen records that hooks return."""

# ruff does not see names within the strings that the generic base classes take.
# ruff: noqa: F401

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import click
    from torch.nn import Module

    from ap_core.contracts import (
        DataRequest,
        DataSource,
        Desk,
        Exporter,
        Importance,
        LlmBackend,
        LlmSettings,
        Meter,
        ModelAdapter,
        Recovery,
        Stack,
        Strategist,
        Timer,
    )

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Offer(Generic[T]):
    """A named thing that a plugin offers, made only when it is used.

    name: what the user types. summary: one line for lists.
    load: "package.module:attribute", or a function without arguments that returns the thing. An
        import string may name the thing itself or a class that is made without arguments.
    """

    name: str
    summary: str
    load: str | Callable[[], T]

    def make(self) -> T:
        """The thing itself; whatever the plugin's import raises goes through."""
        if not isinstance(self.load, str):
            return self.load()
        module, _, attribute = self.load.partition(":")
        found: Any = getattr(import_module(module), attribute)
        thing: T = found() if isinstance(found, type) else found
        return thing


@dataclass(frozen=True, kw_only=True)
class FunctionOffer(Offer[T]):
    """A named thing that is called; whatever it then raises names its plugin."""


@dataclass(frozen=True, kw_only=True)
class ModelAdapterOffer(Offer["ModelAdapter"]):
    """A model adapter. Adapters of higher priority are asked first whether they know a network."""

    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class ImportanceOffer(FunctionOffer["Importance"]):
    """An importance.

    needs_data: whether it scores gradients of calibration batches.
    control: whether it is for comparison only: no strategist proposes it of its own accord.
    additive: whether its scores are changes of the loss, on one scale over the whole network: then
        all channels compete, and what a plan keeps is the sum of its scores.
    """

    needs_data: bool = False
    control: bool = False
    additive: bool = False


@dataclass(frozen=True, kw_only=True)
class LlmBackendOffer(FunctionOffer["Callable[[LlmSettings], LlmBackend]"]):
    """An LLM backend: a function of the settings, which opens it.

    key: name of the environment variable that holds the service's key; "" where it needs none.
    model: what is asked where the user names no model ("--llm anthropic"); "" where one must be.
    """

    key: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class StrategistOffer(Offer["Strategist | Callable[[Desk], Strategist]"]):
    """A strategist.

    trials: how many it makes of itself where the user names no allowance.
    asks: whether it asks an LLM: then what is made is a function of the desk where it can.
    """

    trials: int = 1
    asks: bool = False


@dataclass(frozen=True, kw_only=True)
class RecoveryOffer(FunctionOffer["Recovery"]):
    """A recovery that needs calibration data."""


@dataclass(frozen=True, kw_only=True)
class DatasetOffer(FunctionOffer["Callable[[DataRequest], DataSource]"]):
    """A data set: a function that opens it.

    prefixes: beginnings of names that this offer takes whole ("hfds/"), besides its own name.
    """

    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MeterOffer(FunctionOffer["Meter"]):
    """A meter."""


@dataclass(frozen=True, kw_only=True)
class TimerOffer(FunctionOffer["Callable[[Stack, Module, tuple[int, int, int]], Timer]"]):
    """A timer: a function of the stack, the whole network and the size of an image (channels,
    height, width), which makes it ready. It raises UsageError for a stack that is not there.
    """


@dataclass(frozen=True, kw_only=True)
class ExporterOffer(FunctionOffer["Exporter"]):
    """An exporter.

    suffix: of the files that it writes (".onnx").
    precisions: types of weights that it can write, the first where the user names none.
    opsets: least and greatest number of a set of operators that it can write; None where the format
        has no such number. opset: what is written where the user names none.
    reader: "package.module", a program that reads the file again, in a process of its own:
        `ap_core.exported` says how. "" where there is none: then nothing is known of the file.
    needs: packages that must be there, by the names they are imported under.
    install: what to tell pip where they are not ("ap-bench[onnx]"); "" for the packages themselves.
    """

    suffix: str = ""
    precisions: tuple[str, ...] = ("fp32",)
    opsets: tuple[int, int] | None = None
    opset: int | None = None
    reader: str = ""
    needs: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True, kw_only=True)
class CommandOffer(Offer["click.Command"]):
    """A command of `ap`."""

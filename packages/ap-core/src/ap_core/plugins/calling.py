"""Calling what plugins offer: whatever they raise names the plugin."""

from collections.abc import Callable
from typing import TypeVar

from ap_core.errors import ApError, PluginError
from ap_core.plugins.problems import Owner

T = TypeVar("T")

# What foreign code may raise; SystemExit too, since a plugin must not end the program.
FOREIGN = (Exception, SystemExit)


def answered(question: Callable[[], T], *, about: str, owner: Owner, failure: str = "failed") -> T:
    """What a plugin's function returns. about: the offer, for the message: "the meter 'zeros'".

    Raises: PluginError for whatever it raises, but for errors that are ours.
    """
    try:
        return question()
    except ApError:
        raise
    except FOREIGN as error:
        raise PluginError(
            f"{about} of {owner} {failure}: {type(error).__name__}: {error}",
            hint=f"reinstall or uninstall {owner.distribution}; -v shows where it failed",
        ) from error


class Answering:
    """A function that a plugin offers, called through `answered`."""

    def __init__(self, function: Callable[..., object], *, about: str, owner: Owner) -> None:
        self.function = function
        self._about = about
        self._owner = owner

    def __call__(self, *arguments: object, **named: object) -> object:
        """What the function returns. Raises: PluginError."""
        return answered(
            lambda: self.function(*arguments, **named), about=self._about, owner=self._owner
        )

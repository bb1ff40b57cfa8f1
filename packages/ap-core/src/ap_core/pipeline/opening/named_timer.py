"""A plugin's timer, watched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ap_core.contracts import Pair, Timer
from ap_core.errors import PluginError
from ap_core.plugins.calling import answered
from ap_core.plugins.problems import Owner
from ap_core.report.amounts import counted

if TYPE_CHECKING:
    from torch.nn import Module

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class NamedTimer:
    """A timer; whatever it raises, or returns that is no measurement, names its plugin."""

    timer: Timer
    name: str
    owner: Owner

    def about(self) -> Mapping[str, str]:
        """As the timer says. Raises: PluginError."""
        return self._answered(lambda: dict(self.timer.about()))

    def beside(self, module: "Module", *, rounds: int) -> Sequence[Pair]:
        """As many rounds as asked for. Raises: PluginError; ModelError as the timer does."""
        pairs = self._answered(lambda: self.timer.beside(module, rounds=rounds))
        if len(pairs) != rounds or not all(pair.whole > 0 and pair.other > 0 for pair in pairs):
            raise PluginError(
                f"the timer {self.name!r} of {self.owner} measured no time in "
                f"{counted(rounds, 'round')}: {pairs!r:.80}",
                hint="its rounds are as many as it is asked for, and of more than 0 seconds",
            )
        return pairs

    def _answered(self, question: Callable[[], T]) -> T:
        return answered(question, about=f"the timer {self.name!r}", owner=self.owner)

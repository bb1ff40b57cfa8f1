"""How long the cuts of a network take on the stack that it is to run on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from statistics import median, quantiles
from typing import TYPE_CHECKING

from ap_core.contracts import Pair, Stack, Timer, Tracing
from ap_core.errors import RunError, UsageError
from ap_core.estimates import Estimate, paired_ratio
from ap_core.latency.features import MULTIPLES, features_of
from ap_core.latency.fit import Sample, fitted, latency_terms
from ap_core.latency.multiples import cuts_at, speeds_of
from ap_core.latency.samples import random_cuts
from ap_core.latency.table import LatencyTable
from ap_core.network import SECOND, Network, Term
from ap_core.pipeline.opening.named_timer import NamedTimer
from ap_core.pipeline.opening.subject import Subject
from ap_core.pipeline.progress import Progress
from ap_core.plan import Plan, plan_at
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import percent

if TYPE_CHECKING:
    from torch.nn import Module

LONGEST = 9 * SECOND
"""Beyond which floats do not hold every femtosecond any more."""

CUTS = 28
"""Cuts that are timed to learn a network's latency from, beside those of its multiples."""

ROUNDS = ((0.2, 5), (1.0, 3))
"""For passes of up to so many seconds, rounds of each cut that a fit is made from."""
FEWEST = 2
"""Rounds of slower ones."""

SCATTER = 0.05
"""Range of the middle half of the rounds of a network beside itself, beyond which it is told."""

SURE = 9
"""Rounds of a network that is compared with a budget, before it is made ready anew: where its
weights lie in memory makes it a little faster or slower.
"""
TIMES = (2, 10)
"""How often it is made ready, at the least, and at the most where the rounds scatter."""
CLOSE = 0.02
"""Width of the 95 % interval of what a network takes, relative to it, that is close enough."""


@dataclass(frozen=True, kw_only=True)
class TimedStack:
    """A stack, with a network ready on it.

    stack: its device as the timer knows it, where "auto" was asked for. about: as the timer says.
    seconds: of one pass of the whole network.
    """

    stack: Stack
    timer: Timer
    subject: Subject
    tracing: Tracing
    seconds: float
    about: Mapping[str, str] = field(repr=False)

    @property
    def femtoseconds(self) -> int:
        """Of one pass of the whole network."""
        return round(self.seconds * SECOND)

    @property
    def told(self) -> Mapping[str, str]:
        """What the times of cuts depend on: what the timer says, and of which modules, down to
        their activations, the network is made.
        """
        modules = sha256(repr(self.subject.loaded.module).encode()).hexdigest()
        return {**self.about, "modules": modules}

    def share(self, plan: Plan, *, rounds: int) -> float:
        """About which share of the whole network's time the cut one takes. Raises: ModelError."""
        pairs = self.timer.beside(self.cut(plan), rounds=rounds)
        return median(pair.other / pair.whole for pair in pairs)

    def faster(self, module: "Module", *, band: tuple[float, float] | None = None) -> Estimate:
        """How many times faster a network is than the whole one.

        band: shares of the whole network's time; of what is surely outside, no more is asked.
        Raises: ModelError.
        """
        pairs: list[Pair] = []
        least, most = TIMES
        for time in range(1, most + 1):
            pairs += self.timer.beside(module, rounds=SURE)
            found = paired_ratio([each.whole for each in pairs], [each.other for each in pairs])
            if time >= least and (_close(found) or (band and _outside(found, band))):
                break
        return found

    def cut(self, plan: Plan) -> "Module":
        """Copy of the whole network, cut."""
        cut = self.subject.adapter.copy(self.subject.loaded.module)
        self.subject.adapter.cut(cut, self.tracing, plan)
        return cut


def open_stack(
    registry: Registry, stack: Stack, subject: Subject, tracing: Tracing, progress: Progress
) -> TimedStack:
    """Stack with the whole network ready on it. Raises: UsageError, ModelError."""
    module, size = subject.loaded.module, tracing.network.input_size
    with progress.progress(None, f"timing {tracing.network.model} ({stack})"):
        timer = NamedTimer(
            timer=registry.timers[stack.backend].make()(stack, module, size),
            name=stack.backend,
            owner=registry.timers.owner(stack.backend),
        )
        pairs = timer.beside(module, rounds=SURE)
    _tell_of_scatter(pairs, progress)
    seconds = median(each for pair in pairs for each in (pair.whole, pair.other))
    if seconds * SECOND > LONGEST:
        raise UsageError(
            f"a pass takes {seconds:.1f} s; latencies of up to 9 s can be cut to",
            hint="take a smaller --latency-batch",
        )
    about = timer.about()
    return TimedStack(
        stack=replace(stack, device=about.get("device", stack.device)),
        timer=timer,
        subject=subject,
        tracing=tracing,
        seconds=seconds,
        about=about,
    )


def _close(found: Estimate) -> bool:
    return found.high - found.low <= CLOSE * found.value


def _outside(found: Estimate, band: tuple[float, float]) -> bool:
    """Whether the share of the time that is left is outside a band, anywhere in its interval."""
    low, high = band
    return 1 / found.low < low or 1 / found.high > high


def _tell_of_scatter(pairs: Sequence[Pair], progress: Progress) -> None:
    """Say where a network beside itself is not as fast: the middle half of its rounds."""
    low, _, high = quantiles([pair.other / pair.whole for pair in pairs], n=4)
    if high - low > SCATTER:
        progress.note(
            f"the same network beside itself scatters by {percent(high - low)}: is the machine "
            "busy with something else? latencies are as true as it is quiet"
        )


def learn_latency(
    timed: TimedStack, network: Network, progress: Progress, *, grain: int
) -> tuple[Term, ...]:
    """Latency of a network as a function of its widths, from all its cuts that were timed on this
    stack; what was timed before is not timed again.

    grain: of the widths, as a strategy has it.
    Raises: ModelError where a cut cannot be run, RunError where what is kept is damaged.
    """
    cuts = random_cuts(network, number=CUTS, seed=0, grain=grain)
    wanted = {f"grain {grain}, cut {number}": widths for number, widths in enumerate(cuts)}
    samples = _timed(timed, network, wanted, progress)
    features = features_of(network)
    rates = fitted(features, network.whole, [samples[name] for name in sorted(samples)])
    return latency_terms(features, rates, network.whole, timed.femtoseconds)


def learn_speeds(timed: TimedStack, network: Network, progress: Progress) -> dict[int, float]:
    """Speed at every multiple of channels, the best is 1; what was timed before is not timed again.

    Raises: as `learn_latency`.
    """
    names = {
        multiple: {
            f"odd multiples of {multiple}, cut {number}": widths
            for number, widths in enumerate(cuts_at(network, multiple))
        }
        for multiple in MULTIPLES
    }
    wanted = {name: widths for cuts in names.values() for name, widths in cuts.items()}
    samples = _timed(timed, network, wanted, progress)
    return speeds_of(network, {m: [samples[name] for name in cuts] for m, cuts in names.items()})


def _timed(
    timed: TimedStack,
    network: Network,
    wanted: Mapping[str, dict[str, int]],
    progress: Progress,
) -> dict[str, Sample]:
    """Cuts by their names, each as it was timed, now or before."""
    table = LatencyTable.of(network, timed.stack, timed.told)
    samples = table.samples()
    rounds = next((count for most, count in ROUNDS if timed.seconds <= most), FEWEST)
    missing = {name: widths for name, widths in wanted.items() if name not in samples}
    kept = True
    with progress.progress(len(missing), f"timing cuts ({timed.stack})") as advance:
        for name, widths in missing.items():
            share = timed.share(plan_at(network, widths), rounds=rounds)
            samples[name] = Sample(widths=widths, share=share)
            try:
                table.add(name, samples[name])
            except RunError as error:
                if kept:
                    progress.warn(f"latencies are not kept: {error.message}", hint=error.hint)
                kept = False
            advance(1)
    return samples

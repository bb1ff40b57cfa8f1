"""The space of strategies that grid, random and TPE search: a few knobs of a few levels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import escape

from ap_core.network import Network
from ap_core.search.trial import Evidence
from ap_core.strategy import Normalisation, Ranking, Strategy

SMOOTHINGS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
PRESSURES = (0.5, 0.7, 1.0, 1.4, 2.0)

Level = str | float | None
Position = Mapping[str, int]
"""Number of a level, for every knob."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """Something that can be set to one of a few levels.

    name: field of a strategy, or the glob that pressure is put on.
    base: number of the base strategy's level.
    ordered: whether neighbouring levels have similar effects.
    """

    name: str
    levels: tuple[Level, ...]
    base: int
    ordered: bool = False
    pressure: bool = False


@dataclass(frozen=True, kw_only=True)
class Space:
    """Strategies that differ from the base strategy in its knobs' levels only."""

    base: Strategy
    knobs: tuple[Knob, ...]

    def strategy(self, position: Position) -> Strategy:
        """Strategy at a position; the base strategy's own pressures hold above the knobs'."""
        fields: dict[str, object] = {}
        pressure: dict[str, float] = {}
        for knob in self.knobs:
            number = position[knob.name]
            if number == knob.base:
                continue
            level = knob.levels[number]
            if knob.pressure:
                pressure[knob.name] = float(level or 1.0)
            else:
                fields[knob.name] = level
        if pressure:
            fields["pressure"] = pressure | self.base.pressure
        return Strategy.model_validate(dict(self.base) | fields) if fields else self.base

    def position(self, strategy: Strategy) -> dict[str, int] | None:
        """Position of a strategy; None for one that is outside."""
        position = {}
        for knob in self.knobs:
            level = (
                strategy.pressure.get(knob.name, 1.0)
                if knob.pressure
                else getattr(strategy, knob.name)
            )
            if level not in knob.levels:
                return None
            position[knob.name] = knob.levels.index(level)
        inside = self.strategy(position).model_dump(exclude={"rationale"})
        return position if inside == strategy.model_dump(exclude={"rationale"}) else None


def space(evidence: Evidence, *, areas: Iterable[str]) -> Space:
    """Importances at hand, ranking, normalisation, smoothing, and pressure on these areas.

    areas: globs. Those that the base strategy puts pressure on are left alone.
    """
    base = evidence.base
    knobs = [
        _knob("importance", evidence.importances, base.importance),
        _knob("ranking", (None, *Ranking), base.ranking),
        _knob("normalisation", (None, *Normalisation), base.normalisation),
        _knob("smoothing", (None, *SMOOTHINGS), base.smoothing, ordered=True),
        *(
            _knob(area, PRESSURES, 1.0, ordered=True, pressure=True)
            for area in areas
            if area not in base.pressure
        ),
    ]
    return Space(base=base, knobs=tuple(knob for knob in knobs if len(knob.levels) > 1))


def areas_of(network: Network, *, most: int) -> tuple[str, ...]:
    """Globs of the finest areas that are at least two and at most so many.

    Scopes before kinds before stages, since stages cut across what a scope ranks as one.
    """
    free = network.free
    for names in (
        {group.scope for group in free},
        {group.kind.value for group in free},
        {group.stage for group in free if group.stage},
    ):
        if 2 <= len(names) <= most:
            return tuple(escape(name) for name in sorted(names))
    return ()


def _knob(
    name: str,
    levels: Sequence[Level],
    base: Level,
    *,
    ordered: bool = False,
    pressure: bool = False,
) -> Knob:
    known = tuple(dict.fromkeys(levels if base in levels else (*levels, base)))
    if ordered:
        known = tuple(sorted(known, key=lambda level: -1.0 if level is None else float(level)))
    return Knob(name=name, levels=known, base=known.index(base), ordered=ordered, pressure=pressure)

"""The space of strategies that grid, random and TPE search: a few knobs of a few levels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import escape

from ap_core.network import Network
from ap_core.search.trial import Evidence
from ap_core.strategy import Normalisation, Ranking, Strategy

SMOOTHINGS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
PRESSURES = (0.5, 0.7, 1.0, 1.4, 2.0)
WIDTHS = tuple(number / 20 for number in range(4, 21))

Level = str | float | bool | None
Position = Mapping[str, int]
"""Number of a level, for every knob."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """Something that can be set to one of a few levels.

    name: field of a strategy, or a glob of its table.
    table: "pressure" or "widths", where the knob is a glob of that table.
    base: number of the base strategy's level.
    ordered: whether neighbouring levels have similar effects.
    """

    name: str
    levels: tuple[Level, ...]
    base: int
    ordered: bool = False
    table: str = ""


@dataclass(frozen=True, kw_only=True)
class Space:
    """Strategies that differ from the base strategy in its knobs' levels only."""

    base: Strategy
    knobs: tuple[Knob, ...]

    def strategy(self, position: Position) -> Strategy:
        """Strategy at a position; the base strategy's own pressures hold above the knobs'."""
        fields: dict[str, object] = {}
        tables: dict[str, dict[str, float]] = {}
        for knob in self.knobs:
            number = position[knob.name]
            if number == knob.base:
                continue
            level = knob.levels[number]
            if knob.table:
                tables.setdefault(knob.table, {})[knob.name] = float(level or 1.0)
            else:
                fields[knob.name] = level
        for table, entries in tables.items():
            fields[table] = self._joined(table, entries)
        return Strategy.model_validate(dict(self.base) | fields) if fields else self.base

    def _joined(self, table: str, entries: Mapping[str, float]) -> dict[str, float]:
        """Entries of the knobs with the base strategy's own, which hold above them.

        Of widths, the base strategy's are where the knobs begin: there the knobs' hold.
        """
        own: dict[str, float] = getattr(self.base, table)
        return {**own, **entries} if table == "widths" else {**entries, **own}

    def position(self, strategy: Strategy) -> dict[str, int] | None:
        """Position of a strategy; None for one that is outside."""
        position = {}
        for knob in self.knobs:
            level = (
                getattr(strategy, knob.table).get(knob.name, knob.levels[knob.base])
                if knob.table
                else getattr(strategy, knob.name)
            )
            if level not in knob.levels:
                return None
            position[knob.name] = knob.levels.index(level)
        inside = self.strategy(position).model_dump(exclude={"rationale"})
        return position if inside == strategy.model_dump(exclude={"rationale"}) else None


def space(evidence: Evidence, *, areas: Iterable[str]) -> Space:
    """Importances at hand, depth, ranking, normalisation, smoothing, and pressure on these areas.

    areas: globs. Those that the base strategy puts pressure on are left alone.
    """
    base = evidence.base
    if evidence.tolerance is not None:
        return Space(base=base, knobs=tuple(_width_knobs(evidence)))
    knobs = [
        _knob("importance", evidence.importances, base.importance),
        _knob("depth", (False, True) if evidence.network.blocks else (base.depth,), base.depth),
        _knob("ranking", (None, *Ranking), base.ranking),
        _knob("normalisation", (None, *Normalisation), base.normalisation),
        _knob("smoothing", (None, *SMOOTHINGS), base.smoothing, ordered=True),
        *(
            _knob(area, PRESSURES, 1.0, ordered=True, table="pressure")
            for area in areas
            if area not in base.pressure
        ),
    ]
    return Space(base=base, knobs=tuple(knob for knob in knobs if len(knob.levels) > 1))


def _width_knobs(evidence: Evidence) -> Iterator[Knob]:
    """Shares of the channels that stay, by kind, where strategies are applied as they are."""
    yield _knob("importance", evidence.importances, evidence.base.importance)
    for kind in dict.fromkeys(group.kind.value for group in evidence.network.free):
        share = evidence.base.widths.get(kind, 1.0)
        yield _knob(kind, WIDTHS, share, ordered=True, table="widths")


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
    table: str = "",
) -> Knob:
    known = tuple(dict.fromkeys(levels if base in levels else (*levels, base)))
    if ordered:
        known = tuple(sorted(known, key=lambda level: -1.0 if level is None else float(level)))
    return Knob(name=name, levels=known, base=known.index(base), ordered=ordered, table=table)

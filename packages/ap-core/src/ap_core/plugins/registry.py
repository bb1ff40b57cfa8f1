"""The registry: every offer of every plugin, by kind and name, and what is wrong with plugins."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Self

from ap_core.plugins.hooks import PROJECT
from ap_core.plugins.loading import Plugin, call_hooks, load
from ap_core.plugins.offered import Offers, OfferT, collect
from ap_core.plugins.offers import (
    CommandOffer,
    DatasetOffer,
    ExporterOffer,
    ImportanceOffer,
    LlmBackendOffer,
    MeterOffer,
    ModelAdapterOffer,
    RecoveryOffer,
    StrategistOffer,
    TimerOffer,
)
from ap_core.plugins.problems import Owner, Problem


@dataclass(frozen=True, kw_only=True)
class Registry:
    """What all plugins offer. Looking up an unknown name raises, with the nearest ones.

    `registry.importances["l2"].make()` gives the thing itself; a plugin that fails there gives a
    PluginError with its name.
    owners: every plugin that was found, also those that could not be loaded.
    """

    model_adapters: Offers[ModelAdapterOffer]
    importances: Offers[ImportanceOffer]
    llm_backends: Offers[LlmBackendOffer]
    strategists: Offers[StrategistOffer]
    recoveries: Offers[RecoveryOffer]
    datasets: Offers[DatasetOffer]
    meters: Offers[MeterOffer]
    timers: Offers[TimerOffer]
    exporters: Offers[ExporterOffer]
    commands: Offers[CommandOffer]
    owners: tuple[Owner, ...] = ()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def from_entry_points(cls) -> Self:
        """Offers of all installed distributions."""
        plugins, problems = load(entry_points(group=PROJECT))
        return cls.from_plugins(plugins, problems=problems)

    @classmethod
    def from_plugins(cls, plugins: Iterable[Plugin], *, problems: Iterable[Problem] = ()) -> Self:
        """Offers of these plugins; problems: those that loading them met."""
        plugins, found = tuple(plugins), list(problems)
        returned, more = call_hooks(plugins)
        found += more

        def view(hook: str, kind: str, record_type: type[OfferT]) -> Offers[OfferT]:
            mine = [each for each in returned if each.hook == hook]
            offers, more = collect(mine, kind, record_type)
            found.extend(more)
            return offers

        owners = {plugin.owner for plugin in plugins}
        return cls(
            model_adapters=view("ap_model_adapters", "model adapter", ModelAdapterOffer),
            importances=view("ap_importances", "importance", ImportanceOffer),
            llm_backends=view("ap_llm_backends", "LLM backend", LlmBackendOffer),
            strategists=view("ap_strategists", "strategist", StrategistOffer),
            recoveries=view("ap_recoveries", "recovery", RecoveryOffer),
            datasets=view("ap_datasets", "data set", DatasetOffer),
            meters=view("ap_meters", "meter", MeterOffer),
            timers=view("ap_timers", "timer", TimerOffer),
            exporters=view("ap_exporters", "exporter", ExporterOffer),
            commands=view("ap_commands", "command", CommandOffer),
            owners=tuple(sorted(owners | {one for each in found for one in each.owners})),
            problems=tuple(found),
        )

    def kinds(self) -> Iterator[tuple[str, Offers[Any]]]:
        """Offers of every kind, under the names of this record's fields."""
        for name, value in vars(self).items():
            if isinstance(value, Offers):
                yield name, value

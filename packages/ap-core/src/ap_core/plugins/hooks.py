"""The hooks. A plugin is a module under the entry-point group `ap` that implements some of them."""

from collections.abc import Iterable

import pluggy

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
)

PROJECT = "ap"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ap_model_adapters() -> Iterable[ModelAdapterOffer]:  # type: ignore[empty-body]
    """Offer model adapters."""


@hookspec
def ap_importances() -> Iterable[ImportanceOffer]:  # type: ignore[empty-body]
    """Offer importances."""


@hookspec
def ap_llm_backends() -> Iterable[LlmBackendOffer]:  # type: ignore[empty-body]
    """Offer LLM backends."""


@hookspec
def ap_strategists() -> Iterable[StrategistOffer]:  # type: ignore[empty-body]
    """Offer strategists."""


@hookspec
def ap_recoveries() -> Iterable[RecoveryOffer]:  # type: ignore[empty-body]
    """Offer recoveries."""


@hookspec
def ap_datasets() -> Iterable[DatasetOffer]:  # type: ignore[empty-body]
    """Offer data sets."""


@hookspec
def ap_meters() -> Iterable[MeterOffer]:  # type: ignore[empty-body]
    """Offer meters."""


@hookspec
def ap_exporters() -> Iterable[ExporterOffer]:  # type: ignore[empty-body]
    """Offer exporters."""


@hookspec
def ap_commands() -> Iterable[CommandOffer]:  # type: ignore[empty-body]
    """Offer commands of `ap`."""

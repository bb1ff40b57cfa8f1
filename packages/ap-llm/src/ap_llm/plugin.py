"""What ap_llm offers: LLM backends."""

from collections.abc import Callable
from functools import partial

from ap_core.contracts import LlmBackend, LlmSettings
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import LlmBackendOffer
from ap_llm.services import SERVICES, Service


@hookimpl
def ap_llm_backends() -> list[LlmBackendOffer]:
    """Services, local servers, and a backend that needs neither."""
    return [
        *(_offer(service) for service in SERVICES),
        LlmBackendOffer(
            name="replay",
            summary="plays back a transcript.jsonl, without any service: replay:FILE",
            load="ap_llm.replay:open_replay",
        ),
    ]


def _opener(service: Service) -> Callable[[LlmSettings], LlmBackend]:
    from ap_llm.opening import open_service

    return partial(open_service, service)


def _offer(service: Service) -> LlmBackendOffer:
    return LlmBackendOffer(
        name=service.name,
        summary=service.summary,
        load=partial(_opener, service),
        key=service.key,
        model=service.model,
    )

"""What ap_llm offers: LLM backends."""

from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import LlmBackendOffer


@hookimpl
def ap_llm_backends() -> list[LlmBackendOffer]:
    """Offer the backends."""
    return [
        LlmBackendOffer(
            name="replay",
            summary="plays back a transcript.jsonl, without any service: replay:FILE",
            load="ap_llm.replay:open_replay",
        )
    ]

"""Opens backends: settles what is asked where, and imports the SDK that speaks to it."""

from collections.abc import Callable
from dataclasses import replace

from ap_core.contracts import LlmSettings
from ap_core.errors import LlmError, UsageError
from ap_llm.backend import Dialect, ServiceBackend
from ap_llm.services import Sdk, Service


def open_service(service: Service, settings: LlmSettings) -> ServiceBackend:
    """Backend that asks this service; nothing of the environment goes into it.

    Raises: UsageError where a key or a model is missing, or key or URL cannot be; LlmError where
    the SDK is missing.
    """
    settled = _settle(service, settings)
    return ServiceBackend(service, settled, _dialect(service, settled))


def _settle(service: Service, settings: LlmSettings) -> LlmSettings:
    """Settings with the service's own model and URL where the user names none."""
    key = settings.key.strip()
    if service.key and not key and not settings.url:
        raise UsageError(
            f"{service.name} needs a key, and {service.key} is not set",
            hint=f"export {service.key}=..., or give the URL of a server that needs none",
        )
    # The key is told to nobody, not even where it is wrong.
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError(
            f"the key of {service.name} holds characters that no key has",
            hint=f"check what {service.key or 'the key'} is set to",
        )
    model = settings.model or service.model
    if not model:
        raise UsageError(f"{service.name} needs a model", hint=f"{service.name}:MODEL")
    url = (settings.url or service.url).rstrip("/")
    return replace(settings, key=key, model=model, url=url)


def _dialect(service: Service, settings: LlmSettings) -> Dialect:
    try:
        from ap_llm.urls import check_url

        dialect = _import_dialect(service.sdk)
    except ImportError as error:
        raise LlmError(
            f"{service.name} needs the package {service.sdk}: {error}",
            hint=f"pip install 'ap-llm[{service.sdk}]'",
        ) from error
    check_url(settings.url)
    return dialect(settings)


def _import_dialect(sdk: Sdk) -> Callable[[LlmSettings], Dialect]:
    match sdk:
        case Sdk.ANTHROPIC:
            from ap_llm.anthropic_messages import MessagesDialect

            return MessagesDialect
        case Sdk.OPENAI:
            from ap_llm.openai_chat import ChatDialect

            return ChatDialect

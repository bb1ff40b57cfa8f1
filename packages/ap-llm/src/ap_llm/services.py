"""The LLM services that are known by name: where they are, and what they want."""

from dataclasses import dataclass
from enum import StrEnum

from ap_llm.question import Limit


class Sdk(StrEnum):
    """Package that speaks to a service; also the name of the extra that installs it."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


@dataclass(frozen=True, kw_only=True)
class Service:
    """An LLM service.

    url: what the SDK puts its own path behind. sdk: which one speaks to it.
    key: name of the environment variable that holds its key; "" where it needs none.
    model: what is asked where the user names none; "" where one must be named.
    limit: what it calls the most tokens of a reply.
    """

    name: str
    summary: str
    url: str
    sdk: Sdk = Sdk.OPENAI
    key: str = ""
    model: str = ""
    limit: Limit = Limit.OLD


ANTHROPIC = Service(
    name="anthropic",
    summary="Anthropic's Claude models",
    url="https://api.anthropic.com",
    sdk=Sdk.ANTHROPIC,
    key="ANTHROPIC_API_KEY",
    model="claude-opus-5-5",
)
OPENAI = Service(
    name="openai",
    summary="OpenAI's models, or with a URL any server that speaks like OpenAI's",
    url="https://api.openai.com/v1",
    key="OPENAI_API_KEY",
    model="gpt-5.5",
    # OpenAI's reasoning models refuse max_tokens. Most servers that speak like OpenAI's know no
    # other name: they ignore the new one, and with it the limit.
    limit=Limit.NEW,
)
OPENROUTER = Service(
    name="openrouter",
    summary="models of many makers through OpenRouter; of itself it chooses one",
    url="https://openrouter.ai/api/v1",
    key="OPENROUTER_API_KEY",
    model="openrouter/auto",
)
DEEPSEEK = Service(
    name="deepseek",
    summary="DeepSeek's models",
    url="https://api.deepseek.com",
    key="DEEPSEEK_API_KEY",
    # "deepseek-chat" is no longer served: https://api-docs.deepseek.com/updates/
    model="deepseek-flash",
)
OLLAMA = Service(
    name="ollama",
    summary="a local Ollama server: ollama:MODEL",
    url="http://localhost:11434/v1",
)
VLLM = Service(
    name="vllm",
    summary="a local vLLM server: vllm:MODEL",
    url="http://localhost:8000/v1",
)
LLAMACPP = Service(
    name="llamacpp",
    summary="a local llama.cpp server, with the model that it was started with",
    url="http://localhost:8080/v1",
    # A server with one model answers with that one, whatever name is asked for.
    model="default",
)

SERVICES = (ANTHROPIC, OPENAI, OPENROUTER, DEEPSEEK, OLLAMA, VLLM, LLAMACPP)

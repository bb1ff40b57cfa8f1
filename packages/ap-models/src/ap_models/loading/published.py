"""Published weights: where they are, whether they can be had within seconds, and getting them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from ap_core.errors import CheckpointError

PATIENCE = 3.0
"""Seconds that a server has to answer before weights count as out of reach."""

STALL = 30.0
"""Seconds without a byte after which a download is given up."""

_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where the weights of one network are published; a repository goes before a URL.

    repository: on the Hugging Face hub, "owner/name"; file: there, empty for the usual names.
    """

    name: str
    repository: str = ""
    revision: str | None = None
    file: str = ""
    url: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """File names to look for in the repository, best first."""
        return (self.file,) if self.file else _FILES


def publication(canonical: str) -> Publication:
    """Where the weights of a timm or torchvision network are.

    Raises: CheckpointError where none are published.
    """
    if canonical.startswith("torchvision/"):
        from torchvision.models import get_model_weights

        name, _, tag = canonical.removeprefix("torchvision/").partition(".")
        return Publication(name=canonical, url=get_model_weights(name)[tag or "DEFAULT"].url)
    import timm

    config = timm.get_pretrained_cfg(canonical.removeprefix("timm/"), allow_unregistered=False)
    if not config.has_weights:
        raise CheckpointError(
            f"no weights are published for {canonical}",
            hint="give your own with --checkpoint, or say --weights random",
        )
    repository, _, revision = (config.hf_hub_id or "").partition("@")
    return Publication(
        name=canonical,
        repository=repository,
        revision=revision or None,
        file=config.hf_hub_filename or "",
        url=config.url or "",
    )


def fetch(published: Publication) -> Path:
    """File with the weights, from the local cache or downloaded into it.

    Raises: CheckpointError after PATIENCE seconds where no server answers, and where a download
    fails or stalls.
    """
    found = cached(published)
    if found is not None:
        return found
    if _offline() and published.repository:
        raise _unreachable(published, "HF_HUB_OFFLINE is set, and they are not in the local cache")
    why = _probe(_address(published))
    if why:
        raise _unreachable(published, why)
    with _patience_of(STALL):
        return _download(published)


def cached(published: Publication) -> Path | None:
    """File with the weights in the local cache, if it is there."""
    if not published.repository:
        target = _hub_target(published.url)
        return target if target.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    for file in published.files:
        found = try_to_load_from_cache(
            published.repository, file, revision=published.revision or "main"
        )
        if isinstance(found, str):
            return Path(found)
    return None


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _address(published: Publication) -> str:
    if not published.repository:
        return published.url
    from huggingface_hub import hf_hub_url

    return str(
        hf_hub_url(published.repository, published.files[0], revision=published.revision or "main")
    )


def _probe(url: str) -> str:
    """Why nothing can be had from this server now; empty where it answers."""
    answers: list[str] = []
    # Name resolution knows no time limit of its own, so the clock runs outside.
    asking = threading.Thread(target=lambda: answers.append(_ask(url)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    host = urlparse(url).netloc
    if not answers:
        return f"{host} did not answer within {PATIENCE:g} seconds"
    return f"{host}: {answers[0]}" if answers[0] else ""


def _ask(url: str) -> str:
    try:
        with urlopen(Request(url, method="HEAD"), timeout=PATIENCE):
            return ""
    except HTTPError as error:
        # A file of this name may be missing, or want a token: the download itself finds out.
        fatal = error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
        return f"{error.code} {error.reason}" if fatal else ""
    except OSError as error:
        return str(getattr(error, "reason", error))
    except ValueError as error:
        return str(error)


def _download(published: Publication) -> Path:
    from huggingface_hub.errors import HfHubHTTPError

    # The hub's client has changed its HTTP library; what its own error derives from tells which.
    transport: type[BaseException] = HfHubHTTPError.__bases__[0]
    try:
        return _from_hub(published) if published.repository else _from_url(published.url)
    except (OSError, RuntimeError, transport) as error:
        first, *_ = [*str(error).strip().splitlines(), type(error).__name__]
        raise _unreachable(published, first) from error


def _from_hub(published: Publication) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    missing = ""
    for file in published.files:
        try:
            return Path(
                hf_hub_download(
                    published.repository,
                    file,
                    revision=published.revision,
                    etag_timeout=PATIENCE,
                )
            )
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError as error:
            missing = str(error)
    raise OSError(missing or f"{published.repository} holds none of {', '.join(published.files)}")


def _from_url(url: str) -> Path:
    from torch.hub import HASH_REGEX, download_url_to_file

    target = _hub_target(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    found = HASH_REGEX.search(target.name)
    download_url_to_file(url, str(target), found.group(1) if found else None, progress=True)
    return target


def _hub_target(url: str) -> Path:
    from torch.hub import get_dir

    return Path(get_dir()) / "checkpoints" / Path(urlparse(url).path).name


@contextmanager
def _patience_of(seconds: float) -> Iterator[None]:
    """Time limit on every socket that names none, as torch.hub's downloads do."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _unreachable(published: Publication, why: str) -> CheckpointError:
    return CheckpointError(
        f"the published weights of {published.name} cannot be had: {why}",
        hint="check the network, give a file with --checkpoint, or say --weights random",
    )

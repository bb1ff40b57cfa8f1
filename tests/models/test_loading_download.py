"""Getting published weights, from a server on this machine that behaves well, badly, or not."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
import torchvision
from huggingface_hub import constants
from safetensors.torch import save_file

from ap_core.errors import CheckpointError
from ap_models.loading import zoo
from ap_models.loading.digest import weights_digest
from ap_models.loading.published import Publication, cached, fetch

NAME = "timm/test_resnet.r160_in1k"
FILE = "/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"


@contextmanager
def serving(files, *, status=200, delay=0.0):
    """Address of a server of these files (path to bytes), and the requests that it got."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            requests.append((self.command, self.path))
            time.sleep(delay)
            body = files.get(self.path)
            self.send_response(404 if body is None else status)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"0123456789abcdef"')
                self.send_header("X-Repo-Commit", "0" * 40)
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, format, *args):  # noqa: A002
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hub_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    return tmp_path / "checkpoints"


LOAD = """
import json, sys, time
from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_models.loading import weights, zoo
started = time.perf_counter()
request = ModelRequest(name=sys.argv[1], weights=WeightsPolicy.AUTO, num_classes=int(sys.argv[2]))
found = weights.load(request, request.name, zoo.build)
print(json.dumps([found.origin, found.sha256, found.warnings, time.perf_counter() - started]))
"""


def load_in_a_process(endpoint, home, *, classes=1000):
    """Origin, digest, warnings, seconds of `auto` in a process that knows this hub."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, NAME, str(classes)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_weights_come_from_the_hub_once_and_from_the_cache_after(tmp_path):
    published = zoo.build(NAME)
    save_file(published.state_dict(), tmp_path / "model.safetensors")
    body = (tmp_path / "model.safetensors").read_bytes()
    with serving({FILE: body}) as (endpoint, requests):
        origin, digest, warnings, _ = load_in_a_process(endpoint, tmp_path / "home")
        assert ("GET", FILE) in requests
    assert (origin, digest, warnings) == ("pretrained", weights_digest(published), [])
    # The server is gone now.
    origin, _, warnings, seconds = load_in_a_process(endpoint, tmp_path / "home", classes=3)
    assert origin == "pretrained"
    assert warnings == ["RANDOM CLASSIFIER: the published weights know 1000 classes, not 3"]
    assert seconds < 10


def test_a_hub_that_does_not_answer_costs_seconds_only(tmp_path):
    with serving({FILE: b""}, delay=30) as (endpoint, _):
        origin, _, warnings, seconds = load_in_a_process(endpoint, tmp_path)
    assert origin == "random"
    assert "did not answer within 3 seconds" in warnings[0]
    assert seconds < 10


def test_a_file_comes_from_its_address_into_the_cache(hub_cache):
    with serving({"/weights.pth": b"tensors"}) as (address, requests):
        published = Publication(name="some", url=f"{address}/weights.pth")
        assert cached(published) is None
        assert fetch(published) == hub_cache / "weights.pth"
        assert fetch(published).read_bytes() == b"tensors"
    assert [command for command, _ in requests] == ["HEAD", "GET"]


def test_a_file_that_is_not_what_its_name_promises_is_refused(hub_cache):
    files = {"/weights-01234567.pth": b"foreign"}
    wrong = pytest.raises(CheckpointError, match="cannot be had: invalid hash")
    with serving(files) as (address, _), wrong:
        fetch(Publication(name="some", url=f"{address}/weights-01234567.pth"))
    assert not list(hub_cache.glob("*.pth"))


@pytest.mark.parametrize(("status", "reason"), [(503, "503 Service Unavailable"), (500, "500 ")])
def test_a_server_in_trouble_is_not_asked_twice(hub_cache, status, reason):
    wrong = pytest.raises(CheckpointError, match=reason)
    with serving({"/weights.pth": b""}, status=status) as (address, requests), wrong:
        fetch(Publication(name="some", url=f"{address}/weights.pth"))
    assert len(requests) == 1


def test_a_missing_file_is_said(hub_cache):
    with serving({}) as (address, _), pytest.raises(CheckpointError, match="404"):
        fetch(Publication(name="some", url=f"{address}/weights.pth"))


def test_a_closed_port_is_said_at_once(hub_cache):
    with serving({}) as (address, _):
        pass
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match="Connection refused"):
        fetch(Publication(name="some", url=f"{address}/weights.pth"))
    assert time.perf_counter() - started < 1


def test_a_repository_without_weights_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with serving({}) as (address, _):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        with pytest.raises(CheckpointError, match="the published weights of some cannot be had"):
            fetch(Publication(name="some", repository="owner/name"))


def test_torchvisions_weights_keep_what_fits_another_classifier_and_size(hub_cache):
    name = "torchvision/vit_b_16.IMAGENET1K_V1"
    url = zoo.torchvision_weights(name).url
    trained = zoo.build(name)
    hub_cache.mkdir()
    torch.save(trained.state_dict(), hub_cache / url.rpartition("/")[2])
    found = zoo.build(name, num_classes=5, input_size=(3, 64, 64), pretrained=True)
    assert found.heads.head.out_features == 5
    assert found.encoder.pos_embedding.shape == (1, 17, 768)
    assert torch.equal(found.conv_proj.weight, trained.conv_proj.weight)
    same = zoo.build(name, pretrained=True)
    assert weights_digest(same) == weights_digest(trained)


def put_in_cache(hub_cache, name, content):
    hub_cache.mkdir(exist_ok=True)
    torch.save(content, hub_cache / zoo.torchvision_weights(name).url.rpartition("/")[2])


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (type(self.file).touch, (self.file,))


def test_torchvisions_weights_run_no_code(hub_cache, tmp_path):
    name = "torchvision/squeezenet1_1.IMAGENET1K_V1"
    state = zoo.build(name).state_dict()
    put_in_cache(hub_cache, name, {**state, "more": Touch(tmp_path / "ran")})
    with pytest.raises(CheckpointError, match="loading them could run code") as caught:
        zoo.build(name, pretrained=True)
    assert f"the published weights of {name} are damaged or do not fit" in str(caught.value)
    assert not (tmp_path / "ran").exists()


def old_dense_names(state):
    """As published: dots in the names of layers, batches not counted, no versions."""
    renamed = {re.sub(r"(denselayer\d+\.[a-z]+)(\d)", r"\1.\2", k): v for k, v in state.items()}
    return {k: v for k, v in renamed.items() if not k.endswith("num_batches_tracked")}


def with_auxiliary_heads(state):
    whole = torchvision.models.googlenet(aux_logits=True, init_weights=False).state_dict()
    return {**whole, **state}


@pytest.mark.parametrize(
    ("architecture", "as_published"),
    [
        ("densenet121", old_dense_names),
        ("googlenet", with_auxiliary_heads),
        ("mnasnet0_5", lambda state: state),
    ],
)
def test_torchvisions_older_files_are_read_as_torchvision_does(
    hub_cache, architecture, as_published
):
    name = f"torchvision/{architecture}.IMAGENET1K_V1"
    trained = zoo.build(name)
    put_in_cache(hub_cache, name, as_published(trained.state_dict()))
    assert weights_digest(zoo.build(name, pretrained=True)) == weights_digest(trained)


def test_weights_of_another_network_in_the_cache_are_said(hub_cache):
    name = "torchvision/squeezenet1_1.IMAGENET1K_V1"
    put_in_cache(hub_cache, name, zoo.build("torchvision/squeezenet1_0").state_dict())
    with pytest.raises(CheckpointError, match=f"weights of {name} are damaged or do not fit"):
        zoo.build(name, pretrained=True)


def test_an_error_without_a_text_is_named_by_its_kind(hub_cache, monkeypatch):
    def fail(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    wrong = pytest.raises(CheckpointError, match="cannot be had: TimeoutError")
    with serving({"/weights.pth": b"tensors"}) as (address, _), wrong:
        fetch(Publication(name="some", url=f"{address}/weights.pth"))


def test_damaged_weights_in_the_cache_are_said(hub_cache):
    name = "torchvision/squeezenet1_1.IMAGENET1K_V1"
    hub_cache.mkdir()
    damaged = hub_cache / zoo.torchvision_weights(name).url.rpartition("/")[2]
    damaged.write_bytes(b"PK\x03\x04 the beginning of an archive")
    with pytest.raises(CheckpointError, match=f"weights of {name} are damaged") as caught:
        zoo.build(name, pretrained=True)
    assert "cache" in caught.value.hint

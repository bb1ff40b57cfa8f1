"""A server on loopback that speaks as LLM services do, and misbehaves on request."""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer of the server. misbehave: what it does in place of sending the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    misbehave: Callable[["Handler"], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server was asked. client: address that the connection came from."""

    client: tuple[str, int]
    path: str
    headers: dict[str, str]
    body: dict


class Server(ThreadingHTTPServer):
    """Gives the answers in turn, the last one again and again."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.poured = 0

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    def answer(self, *answers):
        self.answers = list(answers)

    def next_answer(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def handle_error(self, request, client_address):
        """Clients that hang up are what some tests are about; the rest is a mistake."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            client=self.client_address, path=self.path, headers=headers, body=json.loads(body)
        )
        self.server.requests.append(request)
        answer = self.server.next_answer()
        if answer.misbehave:
            answer.misbehave(self)
            self.close_connection = True
            return
        self.send(answer.status, answer.body, answer.headers)

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        """Tests are quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def hang(handler):
    handler.server.closing.wait(10)


def hang_after_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    handler.server.closing.wait(10)


def drip(handler):
    """Keep the line alive with blank lines, as services do whose models are slow."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(200):
        if handler.server.closing.is_set():
            return
        handler.wfile.write(b"1\r\n\n\r\n")
        time.sleep(0.05)


def pour(handler):
    """Send a megabyte after the other, and count them."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
    for _ in range(200):
        handler.wfile.write(b" " * 1_000_000)
        handler.server.poured += 1_000_000


def cut_in_the_body(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")


def cut_before_the_answer(handler):
    """Close without a word."""


def reset(handler):
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def speak_no_http(handler):
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")


def closed_port() -> int:
    """Number of a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

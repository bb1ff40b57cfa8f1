"""`ap` in processes of its own that import nothing: forked from one that has imported it all.

Run as a program, this is that one. Commands reach it through a socket, with their arguments, their
directory, their environment, and their standard streams; what they exit with comes back.
"""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

IMPORTED = (
    "accelerate", "jinja2", "onnxruntime", "onnxscript", "optuna.samplers", "scipy.optimize",
    "sklearn.datasets", "timm", "torch", "torch_pruning", "torchvision", "torch.onnx",
    "ap_bench.exporting.export", "ap_bench.measuring.bench", "ap_core.pipeline.prune",
    "ap_train.evaluation.evaluate", "ap_train.finetuning.finetune",
)  # fmt: skip

LOOK_UP = 2.0
"""Seconds between looks at who started the server."""

CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [asked[:1]], [0, 1, 2])
server.sendall(asked[1:])
server.shutdown(socket.SHUT_WR)
sys.exit((server.recv(1) or b"\\x46")[0])
"""


@cache
def warm_ap() -> Path:
    """An `ap` that is there at once, for as long as this process lives."""
    folder = Path(mkdtemp())
    address = folder / "socket"
    server = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    atexit.register(shutil.rmtree, folder)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    assert server.stdout is not None
    with server.stdout as said:
        assert said.readline() == b"ready\n"
    program = folder / "ap"
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    return program


def serve(address: str) -> None:
    """Fork a process for every command, for as long as the process that started this one lives."""
    parent = os.getppid()
    for name in IMPORTED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        listener.settimeout(LOOK_UP)
        while os.getppid() == parent:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if not os.fork():
                listener.close()
                answer(connection)
            connection.close()


def answer(connection: socket.socket) -> None:
    """Be the command that was asked for, and exit."""
    import torch

    from ap_core.cli.main import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.settimeout(None)
    asked, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while more := connection.recv(1 << 16):
        asked += more
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    arguments, place, environment = json.loads(asked)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)
    if threads := environment.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    sys.argv = ["ap", *arguments]
    code = 70
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])

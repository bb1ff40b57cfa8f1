"""`ap` and `python` in processes of their own that import nothing: forked from one that has.

Run as a program, this is that one. Programs reach it through a socket, with their arguments, their
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
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from runpy import run_module, run_path
from tempfile import mkdtemp
from typing import Any

IMPORTED = (
    "accelerate", "jinja2", "onnxruntime", "onnxscript", "optuna.samplers", "scipy.optimize",
    "sklearn.datasets", "timm", "torch", "torch.distributed.run", "torch_pruning", "torchvision",
    "torch.onnx", "ap_bench.exporting.export", "ap_bench.measuring.bench", "ap_core.pipeline.prune",
    "ap_train.evaluation.evaluate", "ap_train.finetuning.finetune",
)  # fmt: skip

LOOK_UP = 2.0
"""Seconds between looks at who started the server."""

PROGRAMS = ("ap", "warm-python")

CLIENT = """#!{python} -IS
import json, os, select, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
answers = server.makefile("rb")
process = os.pidfd_open(int(answers.readline()))
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda got, _: signal.pidfd_send_signal(process, got))
signal.signal(signal.SIGUSR1, lambda *_: signal.pidfd_send_signal(process, signal.SIGKILL))
program = os.path.basename(sys.argv[0])
asked = json.dumps([program, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [asked[:1]], [0, 1, 2])
server.sendall(asked[1:])
server.shutdown(socket.SHUT_WR)
select.select([process], [], [])
code = answers.read(1)
sys.exit(code[0]) if code else os.kill(os.getpid(), signal.SIGKILL)
"""


def warm_ap() -> Path:
    """An `ap` that is there at once, for as long as this process lives."""
    return _warm_programs() / "ap"


def warm_python() -> Path:
    """A `python` that has imported all: for `-c CODE`, `-m MODULE`, or a file."""
    return _warm_programs() / "warm-python"


def kill(running: subprocess.Popen[Any]) -> None:
    """SIGKILL for the process that a warm program stands for, which then ends like it."""
    running.send_signal(signal.SIGUSR1)


@cache
def _warm_programs() -> Path:
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
    for name in PROGRAMS:
        program = folder / name
        program.write_text(CLIENT.format(python=sys.executable, address=str(address)))
        program.chmod(0o755)
    return folder


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
    """Be the program that was asked for, and exit."""
    import torch

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection.settimeout(None)
    connection.sendall(b"%d\n" % os.getpid())
    asked, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while more := connection.recv(1 << 16):
        asked += more
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    program, arguments, place, environment = json.loads(asked)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)
    if threads := environment.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    code = 0
    try:
        be(program, arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(code)


def be(program: str, arguments: list[str]) -> None:
    """Do what the program would with these arguments."""
    if program == "ap":
        from ap_core.cli.main import main

        sys.argv = ["ap", *arguments]
        main()
        return
    kind, *more = arguments
    if kind not in ("-c", "-m"):
        sys.argv, sys.path[0] = arguments, str(Path(kind).parent)
        run_path(kind, run_name="__main__")
        return
    sys.argv, sys.path[0] = [kind, *more[1:]], ""
    if kind == "-m":
        run_module(more[0], run_name="__main__", alter_sys=True)
    else:
        exec(compile(more[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102


if __name__ == "__main__":
    serve(sys.argv[1])

"""Servers of storages for sweeps, each for as long as a `with` lasts: PostgreSQL of the system's packages, and gRPC."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a new, empty cluster; FileNotFoundError where the package postgresql is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed: apt install postgresql")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # a socket has a short name
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        if user:
            shutil.chown(folder, "postgres", "postgres")
        command = [str(found[-1]), "-D", f"{folder}/data", "-s", "-w"]
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "check": True, **user}
        subprocess.run([*command, "initdb", "-o", "-A trust -U minidl"], **quiet)
        subprocess.run([*command, "-o", options, "-l", f"{folder}/log", "start"], **quiet)
        try:
            yield f"postgresql://minidl@/postgres?host={folder}"
        finally:
            subprocess.run([*command, "-m", "immediate", "stop"], **quiet)


@contextmanager
def grpc() -> Iterator[str]:
    """The URL of a server of Optuna, before a database in memory."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    code = f"from optuna.storages import *; run_grpc_proxy_server(InMemoryStorage(), host='localhost', port={port})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as server:
        try:
            while not _answers(port):
                time.sleep(0.1)
            yield f"grpc://localhost:{port}"
        finally:
            server.kill()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port)).close()
    except OSError:
        return False
    return True


STORAGES: dict[str, Callable[[], AbstractContextManager[str]]] = {"postgresql": postgresql, "grpc": grpc}

"""A process that is stopped, or whose machine is gone, ends the run of all: they would wait for it for ever.

A thread of each process sends a sign of life. Process 0 hears those of all others, and they hear its own.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from minidl.system.errors import StorageError
from minidl.system.processes import SILENCE, Processes

logger = logging.getLogger("minidl")
BEAT = 1.0  # seconds between two signs, at most


class SignsOfLife:
    """While a `with` lasts, no process is silent for longer than `timeout` seconds, or all end with one message.

    A process that was stopped and goes on before that has heard nothing meanwhile: it counts anew.
    """

    def __init__(self, processes: Processes, timeout: float) -> None:
        self._processes, self._timeout = processes, timeout
        self._ended = threading.Event()
        if processes.size == 1:
            return
        self._communicator = processes.second_communicator()
        self._beat = min(BEAT, timeout / 4)
        self._peers = range(1, processes.size) if processes.is_first else (0,)
        self._thread = threading.Thread(target=self._watch, name="minidl-signs-of-life", daemon=True)

    def __enter__(self) -> SignsOfLife:
        if self._processes.size > 1:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._processes.size == 1:
            return
        if exception[0] is None:
            self._processes.collect()  # nobody is silent before all have come to their end
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        now = time.monotonic()
        heard = dict.fromkeys(self._peers, now)
        sent: dict[int, Any] = {}
        while not self._ended.wait(self._beat):
            before, now = now, time.monotonic()
            if now - before > self._timeout / 2:
                heard = dict.fromkeys(self._peers, now)
            for peer in self._peers:
                if peer not in sent or sent[peer].Test():  # what one that is stopped does not take is not piled up
                    sent[peer] = self._communicator.isend(None, peer)
                while self._communicator.Iprobe(peer):
                    self._communicator.recv(source=peer)
                    heard[peer] = now
                if now - heard[peer] > self._timeout:
                    self._end(peer)

    def _end(self, silent: int) -> None:
        if self._processes.rank > 1:  # where process 0 is silent, process 1 speaks for all
            time.sleep(SILENCE * (self._processes.rank - 1))
        logger.error(
            "process %d of %d has shown no sign of life for %g s: all end here, and --resume goes on from the last "
            "checkpoint (processes.timeout is how long one is waited for)",
            *(silent, self._processes.size, self._timeout),
        )
        self._processes.abort(StorageError.exit_code)

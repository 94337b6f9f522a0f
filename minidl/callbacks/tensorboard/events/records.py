"""The file under an event writer: length-prefixed, checksummed records, each handed to the system whole.

Without a buffer of our own nothing is lost to kill -9, nothing is written twice after a fork, and a
full disk shows at once. A record that fails half-way is cut off, so that the file stays readable.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import struct
import time
from pathlib import Path

from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.storage.append import append_whole
from minidl.storage.atomic import refusing
from minidl.system.errors import StorageError

_PREFIX = "events.out.tfevents"
_counter = itertools.count()


class RecordFile:
    """A new file of records in a folder, in the format of TensorFlow's event files.

    folder: made where it is missing. ending: of the file's name. Raises StorageError when the system
    refuses.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = RecordFile(Path(folder))
    ...     file.append(b"four")
    ...     file.close()
    ...     file.path.stat().st_size  # length 8, its checksum 4, data 4, their checksum 4
    20
    """

    def __init__(self, folder: Path, ending: str = "") -> None:
        self._owner = os.getpid()
        with refusing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.path = _next_path(folder, ending)
            self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115 - closed by close()

    def append(self, data: bytes) -> None:
        """Hand one record to the system; StorageError when it refuses, or in a forked process."""
        if os.getpid() != self._owner:
            raise StorageError(
                f"{self.path}: belongs to process {self._owner}; a forked process needs a writer of its own"
            )
        with refusing(self.path):
            append_whole(self._file.fileno(), _record(data))

    def sync(self, to_disk: bool) -> None:
        """Check that the file is still in its folder, and wait, if asked, until the disk holds it."""
        with refusing(self.path):
            if os.fstat(self._file.fileno()).st_nlink == 0:
                raise OSError(None, "it was deleted while it was written")
            if to_disk:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()


def _record(data: bytes) -> bytes:
    checksum = load_protos().masked_crc32c
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", checksum(length)), data, struct.pack("<I", checksum(data))))


def _next_path(folder: Path, ending: str) -> Path:
    """A name that nobody has, and that sorts after all others: TensorBoard reads a run's files in that order."""
    found = (re.match(rf"{re.escape(_PREFIX)}\.(\d+)\.", name) for name in os.listdir(folder))
    # Also after the clock was set back, or within one second.
    seconds = max([int(time.time()), *(int(name[1]) + 1 for name in found if name)])
    return folder / f"{_PREFIX}.{seconds:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}{ending}"

"""Files put in place as a whole or not at all, and the words for what the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from minidl.system.errors import CheckpointError, MinidlError, StorageError, UsageError, suggest_file

FilePath: TypeAlias = str | os.PathLike[str]
Faults: TypeAlias = tuple[type[OSError] | type[ValueError], ...]

# How file systems say that they never can, rather than that they could not.
_UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)
LINK = "it is a link, which would lead out of the folder"
# There is no such file, which is another thing than a file that cannot be read at this moment.
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO)
FRESH = 10  # seconds in which a writer has long said that a temporary file is its own
_TEMPORARY = re.compile(r"\.minidl-[0-9a-f]{16}\.tmp")


def write_whole(path: FilePath, data: bytes | memoryview, *, follow: bool = True) -> None:
    """Put a file in place as a whole or not at all, even if the process or the power dies.

    A link is followed, or else refused: nobody's link may lead a run out of its folder. Raises
    StorageError with the errno of the fault; then the older file is intact, or, if only the last
    sync of its folder failed, the new one whole.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/run.json", b"{}")
    ...     os.listdir(folder)
    ['run.json']
    """
    target = as_path(path)
    with contextlib.suppress(OSError, ValueError):
        target = Path(os.path.realpath(target)) if follow else target
    with refusing(target):
        if not follow:
            refuse_link(target)
        refuse_special(target)
        if follow:
            sweep(target.parent, all_of_it=False)
        with _temporary(target) as temporary:
            with open(temporary, "xb") as file:
                _hold(file)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        sync_folder(target.parent)


@contextlib.contextmanager
def new_file(path: FilePath, *, force: bool = False) -> Iterator[BinaryIO]:
    """A file to be written piece by piece, which comes into place as a whole when the `with` ends without an error.

    UsageError where there is a file of this name already, unless `force` is given: then it is replaced.
    """
    target = Path(os.path.realpath(path))
    refuse_existing(target, force=force)
    sweep(target.parent, all_of_it=False)
    with _temporary(target) as temporary:
        with refusing(target):
            refuse_special(target)
            file = open(temporary, "xb")  # noqa: SIM115  closed below
            _hold(file)
        with file, refusing(target, (OSError,)):
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_existing(target, force=force)
        with refusing(target):
            os.replace(temporary, target)
            sync_folder(target.parent)


def refuse_existing(target: Path, *, force: bool = False) -> None:
    """UsageError where there is a file of this name already, and it is not to be replaced."""
    if not force and target.exists():
        raise UsageError(f"{target} exists: name another file, or replace it with --force")


def link_whole(path: FilePath, name: str) -> None:
    """Let a link point to the file of this name beside it; at no moment is there no link.

    Where the file system has no links, as on some drives in the network, it is a copy.
    """
    target = as_path(path)
    with refusing(target):
        with _temporary(target) as temporary:
            try:
                os.symlink(name, temporary)
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
                shutil.copyfile(target.with_name(name), temporary)
            os.replace(temporary, target)
        sync_folder(target.parent)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, to last through a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sweep(folder: Path, *, all_of_it: bool = True) -> None:
    """Delete what writers that were killed have left in a folder.

    all_of_it: no process writes there now; else what a living writer holds is left alone.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if _TEMPORARY.fullmatch(name) and (all_of_it or not _is_held(folder / name)):
                os.unlink(folder / name)


def _hold(file: BinaryIO) -> None:
    """Say that this file has a writer, for as long as that lives; some file systems do not pass it on."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_held(path: Path) -> bool:
    """Whether a temporary file has a writer, or may be about to; True where the system does not tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if time.time() - os.fstat(descriptor).st_mtime < FRESH:
                return True
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
    except OSError:
        return True
    return False


@contextlib.contextmanager
def refusing(target: Path, faults: Faults = (OSError, ValueError)) -> Iterator[None]:
    """What the system refuses while this is written is a StorageError: where, why, and what to do.

    faults: how it refuses; ValueError is for a name that none could be.
    """
    try:
        yield
    except MinidlError:
        raise
    except faults as error:
        refusal = StorageError(
            f"{target}: cannot be written ({reason_of(target, error)}); "
            "check the folder, its permissions and its free space"
        )
        refusal.errno = getattr(error, "errno", errno.EINVAL)
        raise refusal from error


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A fresh name beside the target each time, so that two writers never share a file."""
    temporary = target.with_name(f".minidl-{os.urandom(8).hex()}.tmp")
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make what was named, renamed or made in a folder last through a power cut."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
    finally:
        os.close(descriptor)


def as_path(given: FilePath) -> Path:
    """The path that a caller gave; UsageError where it is none."""
    try:
        return Path(os.fsdecode(given))
    except TypeError:
        raise UsageError(f"a file is given by its path, got {type(given).__name__}") from None


def refuse_special(path: Path) -> None:
    """Refuse a folder, a pipe, a device: reading might never end, writing would replace it."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device")


def refuse_link(path: Path) -> None:
    """Refuse a name that is a link."""
    if os.path.islink(path):
        raise OSError(errno.ELOOP, LINK)


def reason_of(path: Path, error: OSError | ValueError) -> str:
    """What the system said; where a name was wrong, with the nearest one beside it."""
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) == errno.ELOOP and os.path.islink(path) and os.path.exists(path):
        reason = LINK
    if not isinstance(error, (FileNotFoundError, IsADirectoryError)):
        return reason
    while not os.path.isdir(path.parent):
        path = path.parent
    with contextlib.suppress(OSError):
        reason += suggest_file(path.name, set(os.listdir(path.parent)) - {path.name})
    return reason


def unreadable(path: Path, error: OSError | ValueError) -> CheckpointError | StorageError:
    """What a file that could not be opened or read is: none at all, or perhaps a sound one that may be tried again."""
    reason, number = reason_of(path, error), getattr(error, "errno", errno.EINVAL)
    if number in _NO_FILE:
        return CheckpointError(f"{path}: cannot be read ({reason}); check the name and its permissions")
    refusal = StorageError(f"{path}: cannot be read now ({reason}); nothing was changed, try again")
    refusal.errno = number
    return refusal

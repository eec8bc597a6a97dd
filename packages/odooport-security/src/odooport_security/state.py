"""Files in the state directory: only the user who runs Odooport may open them."""

import os
from pathlib import Path

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600


def open_private(path: Path, flags: int) -> int:
    """Open a file as ``os.open`` does, and create it if it is missing.

    What is created belongs to its owner alone: the file gets the mode 0600, a missing
    directory 0700. A directory that is there already keeps its mode.

    Args:
        path: The file.
        flags: How to open it, as for ``os.open``.

    Raises:
        OSError: It cannot be opened or created.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    except FileExistsError:
        return os.open(path, flags)
    _sync_directory(path.parent)
    return descriptor


def identity(status: os.stat_result) -> tuple[int, int]:
    """Answer what tells one file from another that took its name."""
    return status.st_dev, status.st_ino


def _sync_directory(path: Path) -> None:
    """Make a new file's name survive a power cut, as well as what is in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

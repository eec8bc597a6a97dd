"""Which processes that share a directory are alive: each holds a lock on a file there.

The kernel gives a lock back when its process ends, however that comes about; the number
of a process would tell nothing, for it is used again, and containers count their own.
"""

import errno
import logging
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from odooport_security.state import identity, open_private

if sys.platform != "win32":
    import fcntl

_logger = logging.getLogger(__name__)

_TOKEN_BYTES = 16
_ATTEMPTS = 8


class Owners:
    """What one process goes by among others, and whether the others are alive.

    A name is used once, so a missing file says as much as one that nobody holds: that
    its owner is gone. It works on Linux and macOS, between containers that share the
    directory on one machine too.

    Args:
        directory: Where the files are.
        stem: What their names begin with.
        token_bytes: Answers so many random bytes.
    """

    def __init__(
        self,
        directory: Path,
        stem: str,
        *,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._directory = directory
        self._stem = stem
        self._token_bytes = token_bytes
        self._name: str | None = None
        self._descriptor: int | None = None

    def own_name(self) -> str:
        """Answer the name of this process, whose file it holds.

        It is another one after somebody deleted the file.

        Raises:
            OSError: The file cannot be made or locked.
        """
        if self._name is not None and self._descriptor is not None:
            if self._is_there(self._name, self._descriptor):
                return self._name
            self.let_go()
        for _ in range(_ATTEMPTS):
            name = self._token_bytes(_TOKEN_BYTES).hex()
            descriptor = open_private(self._path(name), os.O_RDWR | os.O_CLOEXEC)
            try:
                # Somebody who clears up may have come before the lock.
                held = _lock(descriptor) and self._is_there(name, descriptor)
            except BaseException:  # whatever it was, the file must not stay open
                os.close(descriptor)
                raise
            if held:
                self._name, self._descriptor = name, descriptor
                return name
            os.close(descriptor)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def lives(self, name: str) -> bool:
        """Whether the process that goes by a name is alive, be it this one.

        Raises:
            OSError: That cannot be seen.
        """
        try:
            descriptor = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who ask at once do not take each other for the owner.
            return not _lock(descriptor, shared=True)
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Delete the files of those who are gone."""
        for path in self._directory.glob(f"{self._stem}-*.lock"):
            name = path.stem.removeprefix(f"{self._stem}-")
            try:
                if not self.lives(name):
                    path.unlink(missing_ok=True)
            except OSError as error:
                _logger.warning(
                    "the lock of a process that is gone cannot be deleted",
                    extra={"why": error.strerror},
                )
                return

    def let_go(self) -> None:
        """Be gone for all others; the next one who asks for the name gets another."""
        if self._descriptor is not None:
            if self._name is not None:
                with suppress(OSError):  # one that is left is cleared by others
                    self._path(self._name).unlink(missing_ok=True)
            os.close(self._descriptor)
        self._name = self._descriptor = None

    def _path(self, name: str) -> Path:
        return self._directory / f"{self._stem}-{name}.lock"

    def _is_there(self, name: str, descriptor: int) -> bool:
        try:
            there = self._path(name).stat()
        except FileNotFoundError:
            return False
        return identity(there) == identity(os.fstat(descriptor))


def _lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file until it is closed; False if somebody else holds it."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, "Windows has no such locks")
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

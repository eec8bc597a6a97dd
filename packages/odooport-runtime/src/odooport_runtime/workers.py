"""Several worker processes behind one listener, and the process that watches them.

The watcher takes the port, says where it listens and starts the workers; it serves
nothing itself. Each worker builds a container of its own from the same settings.

The workers are spawned and not forked: nothing that the watcher has opened to check
the settings (databases, threads, locks) lives on in them by halves. uvicorn has a
supervisor too, but it kills a worker that is busy for some seconds, in the middle of a
write perhaps; its workers outlive it if it is killed; and it does not hear a second
signal.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from types import FrameType

from odooport_runtime.settings import Settings

_logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
"""How often it is looked whether a signal came while no worker ended."""

_LAST_SECONDS = 5.0
"""How much longer than the grace a worker may take to end, before it is killed."""

_STEADY_SECONDS = 10.0
"""After how long a worker that dies is replaced at once, and not after a pause."""

_LONGEST_PAUSE = 30.0

type Work = Callable[[Settings, socket.socket, int], None]
"""Serves in a worker, until it is told to stop; takes the worker's number too. It must
be a function of a module, for the new process finds it by name."""


def supervise(work: Work, settings: Settings, listener: socket.socket) -> None:
    """Keep the workers running until SIGINT or SIGTERM, and see all of them end.

    A worker that dies is replaced. At the first signal every worker lets its running
    requests end, at the second all end at once. If this process is killed, the workers
    end as at a signal.

    Args:
        work: What each worker does.
        settings: What the workers get; how many there are stands there.
        listener: Where they listen.
    """
    host, port = listener.getsockname()[:2]
    _logger.info(
        "listening",
        extra={
            "host": host,
            "port": port,
            "files": list(settings.sources),
            "workers": settings.workers,
        },
    )
    _Supervisor(work, settings, listener).run()


@dataclass(slots=True)
class _Worker:
    """A place for a worker, and the process that has it now."""

    number: int
    process: SpawnProcess | None = None
    began: float = 0.0
    due: float = 0.0
    early_ends: int = 0


class _Supervisor:
    def __init__(
        self,
        work: Work,
        settings: Settings,
        listener: socket.socket,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._workers = [_Worker(number + 1) for number in range(settings.workers)]
        self._signals = 0
        self._kill_at: float | None = None

    def run(self) -> None:
        # It starts here, for it would let signals through while a worker starts.
        resource_tracker.ensure_running()
        before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            while self._is_needed():
                for worker in self._workers:
                    self._tend(worker)
                running = [it.process for it in self._workers if it.process is not None]
                connection.wait([it.sentinel for it in running], _TICK_SECONDS)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        _logger.info("ended", extra={"workers": len(self._workers)})

    def _is_needed(self) -> bool:
        """Answer whether there is a worker, or will be one."""
        return not self._signals or any(it.process for it in self._workers)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Hand a signal on. Each signal counts, so it is done right here."""
        del number, frame
        self._signals += 1
        wait = self._settings.grace if self._signals == 1 else 0.0
        self._kill_at = self._clock() + wait + _LAST_SECONDS
        for worker in self._workers:
            if worker.process is not None:
                worker.process.terminate()

    def _tend(self, worker: _Worker) -> None:
        """Do what is to be done about one worker now."""
        process = worker.process
        if process is None:
            if not self._signals and self._clock() >= worker.due:
                self._start(worker)
        elif (status := process.exitcode) is not None:
            worker.process = None
            process.close()
            self._ended(worker, status)
        elif self._kill_at is not None and self._clock() >= self._kill_at:
            _logger.error("worker killed", extra={"worker": worker.number})
            process.kill()

    def _start(self, worker: _Worker) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=_begin,
            args=(self._work, self._settings, self._listener, worker.number),
            name=f"worker {worker.number}",
        )
        with _interrupts_held():
            process.start()
        worker.process, worker.began = process, self._clock()
        _logger.info("worker", extra={"worker": worker.number, "pid": process.pid})
        if self._signals:  # it came meanwhile, and this worker was not there yet
            process.terminate()

    def _ended(self, worker: _Worker, status: int) -> None:
        if self._signals:
            return
        pause = 0.0
        if self._clock() - worker.began < _STEADY_SECONDS:
            pause = min(2.0**worker.early_ends, _LONGEST_PAUSE)
            worker.early_ends += 1
        else:
            worker.early_ends = 0
        worker.due = self._clock() + pause
        _logger.error(
            "worker died",
            extra={"worker": worker.number, "status": status, "replaced_in": pause},
        )


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Let what is started here not hear SIGINT, in all its life.

    A terminal sends it to every process at once, and the watcher hands it on: a worker
    would hear it twice, which means to end at once.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(
    work: Work, settings: Settings, listener: socket.socket, number: int
) -> None:
    """Be a worker."""
    threading.Thread(
        target=_end_with_watcher, args=(settings.grace,), daemon=True
    ).start()
    work(settings, listener, number)


def _end_with_watcher(grace: float) -> None:
    """End this worker as a signal would, once the process that watches it is gone."""
    watcher = multiprocessing.parent_process()
    if watcher is None:
        return
    watcher.join()
    here = os.getpid()
    os.kill(here, signal.SIGTERM)
    time.sleep(grace + _LAST_SECONDS)
    os.kill(here, signal.SIGKILL)

"""Run other programs: without a shell, several at once with their output kept apart, and none left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from crane_mirrors.cli._messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Children", "each"]

NOT_STARTED = 126
"""The exit code of what could not be started, as a shell gives it."""

GRACE = 5.0
"""How many seconds a program that is asked to end has for that."""

GLANCE = 0.05
"""How many seconds may pass until a signal is seen."""

_LONGEST = 8192
_CURSOR = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_STOPS = (signal.SIGTTIN, signal.SIGTTOU)
"""What a terminal sends to a program that is not in its foreground: ours are not, and shall not stand still for it."""


class _Ended(BaseException):
    """The program was told to end, by a signal other than Ctrl-C's."""

    def __init__(self, number: int) -> None:
        self.number = number


class Children:
    """The programs that one call runs; whatever they print goes to stderr."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.ending = False
        """Whether they were all told to end; then no other one starts."""
        self._came: list[int] = []

    def run(self, words: Sequence[str], label: str | None = None) -> int:
        """Run a program to its end and give its exit code, as a shell does: 128 and its number for a signal.

        With a label each line of its output begins with that; without one the program writes where we do, so that it
        can draw its own progress bar.
        """
        output = subprocess.PIPE if label is not None else sys.stderr.fileno() if sys.stderr else subprocess.DEVNULL
        try:
            process = self._start(words, output)
        except OSError as error:
            say(f"{words[0]}: {(error.strerror or str(error)).lower()}")
            return NOT_STARTED
        if process is None:
            return 128 + signal.SIGTERM
        try:
            code = _followed(process, label) if label is not None else process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
        return code if code >= 0 else 128 - code

    def _start(self, words: Sequence[str], output: int) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self.ending:
                return None
            # A group of its own, so that whatever it starts can be ended with it.
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
            )
            self._running.add(process)
        return process

    @contextlib.contextmanager
    def ended_with_us(self) -> Iterator[None]:
        """End them all when this block is left early, by Ctrl-C or by a signal that ends this program.

        A signal is only noted when it comes, since two may come at once; whoever waits in the block calls ``obey``.
        """
        before = {number: signal.getsignal(number) for number in (*_ENDS, *_STOPS)}
        for number in (*_ENDS, *_STOPS):
            if before[number] is not signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, signal.SIG_IGN if number in _STOPS else self._note)
        try:
            yield
            self.obey()
        except _Ended as ended:
            self.end()
            # Whoever waits for us shall see the signal, as without our handler.
            signal.signal(ended.number, signal.SIG_DFL)
            os.kill(os.getpid(), ended.number)
        except BaseException:
            self.end()
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: Any) -> None:
        self._came.append(number)

    def obey(self) -> None:
        """Raise what leaves the block if a signal came: KeyboardInterrupt for Ctrl-C."""
        for number in self._came:
            raise KeyboardInterrupt if number == signal.SIGINT else _Ended(number)

    def end(self) -> None:
        """Ask every program, and what it started, to end; after a while, or when another signal comes, make it."""
        with self._lock:
            self.ending = True
            running = list(self._running)
        came = len(self._came)
        deadline = time.monotonic() + GRACE
        _kill(running, signal.SIGTERM)
        while any(process.poll() is None for process in running):
            if len(self._came) > came or time.monotonic() > deadline:
                break
            time.sleep(GLANCE)
        _kill(running, signal.SIGKILL)


def _kill(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _followed(process: subprocess.Popen[bytes], label: str) -> int:
    copied = [0]
    reader = threading.Thread(target=_copy, args=(process, label, copied), daemon=True)
    reader.start()
    code = process.wait()
    before = -1
    while reader.is_alive() and copied[0] > before:
        # Not to the pipe's end: what it left running, a pause process for example, may hold it open for ever.
        before = copied[0]
        reader.join(1.0)
    return code


def _copy(process: subprocess.Popen[bytes], label: str, copied: list[int]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        while line := output.readline(_LONGEST):
            copied[0] += 1
            # Of a line that was drawn anew and anew, the end is what counts.
            text = _CURSOR.sub(b"", line).rstrip().rpartition(b"\r")[2]
            if text:
                say(f"{label}: {text.decode('utf-8', 'replace')}")


def each(items: Sequence[Any], work: Callable[[Any], None], *, jobs: int, watch: Callable[[], None]) -> None:
    """Do the work on each item, so many at once, in threads; the first error is raised when it comes up.

    ``watch`` is called again and again meanwhile, and ends the wait by raising.
    """
    from queue import Empty, SimpleQueue

    waiting: SimpleQueue[Any] = SimpleQueue()
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    for item in items:
        waiting.put(item)

    def worker() -> None:
        while True:
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            try:
                work(item)
                done.put(None)
            except BaseException as error:
                done.put(error)

    for _ in range(min(jobs, len(items))):
        # Nobody waits for a thread whose program is being ended.
        threading.Thread(target=worker, daemon=True).start()
    left = len(items)
    while left:
        watch()
        with contextlib.suppress(Empty):
            error = done.get(timeout=GLANCE)
            left -= 1
            if error is not None:
                raise error

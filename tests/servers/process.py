"""Start a real program, wait until it answers, and end it by its id.

port = free_port()
with running([need("nginx"), "-c", str(config)], folder=tmp_path, port=port) as program:
    print(program.log.read_text())
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 10.0
END_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs, and the file with all it prints."""

    process: subprocess.Popen[bytes]
    log: Path


def output_of(
    *command: str | Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 60,
) -> str:
    """Run a program to its end, which has to be a good one, and give what it printed."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def free_port(address: str = "127.0.0.1") -> int:
    """Give a TCP port that nobody has at the moment."""
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    folder: Path,
    port: int,
    address: str = "127.0.0.1",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """Run a program in a folder, with its output in `output.log` there, for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the tests; they end what they started
        )
    try:
        wait_for_port(process, address, port, log)
        yield Program(process, log)
    finally:
        end(process)


def wait_for_port(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    """Wait until the program accepts connections; fail with its output if it ends, or takes too long."""
    limit = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < limit:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    state = "does not answer" if process.poll() is None else f"ended with {process.returncode}"
    raise RuntimeError(f"{process.args!r} {state}: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end, and make it end if it does not."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

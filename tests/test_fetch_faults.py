"""`fetch` with everything that goes wrong on a network: the right cause, in time, and the file from elsewhere."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import pytest
from conftest import CLI
from servers.faults import FAULTS, Fault, fault_server
from shop import CONTENT, FILE, Place, opened

TIMEOUT = 0.6

#: Faults that are none for who wants a file: it came, as the server says that it is.
HARMLESS = {"redirect-to-other-host", "content-length-too-short", "control-characters"}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if "raw" in fault.kinds], ids=lambda fault: fault.name)
def test_fault(fault: Fault, cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is right, it takes no longer than allowed, and the next server's file comes out unharmed."""
    with contextlib.ExitStack() as stack:
        place = opened(Place(tmp_path), stack)
        base = stack.enter_context(fault_server(fault, "raw", tmp_path / "fault"))
        for name, value in base.environment.items():
            monkeypatch.setenv(name, value)
        place.write_catalogue(near=base.url)
        begin = time.monotonic()
        ran = cli("fetch", *FILE, "-c", place.catalogue, "--timeout", str(TIMEOUT), "--max-size", "1M")
        took = time.monotonic() - begin
    assert took < TIMEOUT + 1.5
    assert not re.search("[^ -~\n]", ran.err)
    if "proxy" in fault.place:
        assert (ran.code, ran.out) == (4, "")
        assert fault.explains(re.search("near: ([^;]*);", ran.err)[1])  # type: ignore[index]
        return
    assert ran.code == 0
    after = re.search("after near: (.*)", ran.err)
    if fault.name in HARMLESS and not after:
        return
    assert after, ran.err
    assert fault.explains(after[1]), after[1]
    assert ran.out == CONTENT.decode()

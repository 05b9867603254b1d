"""What the tests of live commands share: a catalogue and a memory of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import CLI
from live.asking import Live


@pytest.fixture
def live(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Give the live commands, remembering nothing yet, with no proxy, no login and not in CI."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CI"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return Live(cli, tmp_path)

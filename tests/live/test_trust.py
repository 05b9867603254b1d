"""What loading httpx brings along: a call pays for what it uses, and for nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import PROJECT

ASK = """
import sys
sys.path.insert(0, {source!r})
{code}
print(*sorted({{"asyncio", "pygments", "rich", "httpx"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("from crane_mirrors.live.trust import Trust; Trust().tls", "httpx"),
        ("import crane_mirrors.cli._download", ""),
        ("from crane_mirrors.live.trust import load_httpx; load_httpx(); import httpx._main", "httpx pygments rich"),
    ],
)
def test_httpx_comes_alone(code: str, loaded: str) -> None:
    """Neither httpx's own command line nor an event loop is loaded for a download; who wants the former can have it."""
    script = ASK.format(source=str(PROJECT / "src"), code=code)
    process = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == loaded

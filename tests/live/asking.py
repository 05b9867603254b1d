"""The live commands on a catalogue that a test writes, whose addresses are servers on loopback.

    live.add("image", "craned", origin=f"{origin.authority}/gocrane/craned", near=f"{near.authority}/gocrane/craned")
    assert live.verdicts("craned", code=1) == {"near": "overdue"}
    row = live.row("probe", "craned", "--mirror", "near")

What is remembered from run to run lies in `live.state`, which no other test sees.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import CLI, PROJECT, Ran

SECTIONS = {"image": "images", "helm": "helm", "git": "git"}

#: A short deadline where only the cause of a failure matters, and never less than a busy machine may take.
TIMEOUT = ("--timeout", "10")


@dataclass(slots=True)
class Live:
    """The command line, with one catalogue and one state file."""

    cli: CLI
    folder: Path
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def catalogue(self) -> Path:
        """The catalogue file, which has nothing but what was added."""
        path = self.folder / "catalogue.yaml"
        path.write_text(json.dumps({"version": 1, "builtin": False, **self.entries}), encoding="utf-8")
        return path

    @property
    def state(self) -> Path:
        return self.folder / "state" / "crane-mirrors" / "state.json"

    def add(self, kind: str, name: str, *, origin: str, synced: str | None = None, **mirrors: str) -> None:
        """Add an entry, or put another in its place."""
        entry: dict[str, Any] = {"origin": origin, "mirrors": mirrors} | ({"synced": synced} if synced else {})
        if kind == "image":
            entry["default_tag"] = "main"
        self.entries.setdefault(SECTIONS[kind], {})[name] = entry

    def run(self, command: str, *arguments: str, code: int = 0) -> Ran:
        """Run a command, which must end with this exit code and without a traceback."""
        ran = self.cli(command, *arguments, "--no-project", "--catalogue", str(self.catalogue))
        assert ran.code == code, ran
        assert "Traceback" not in ran.err, ran.err
        return ran

    def rows(self, command: str, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """Give the rows of a command's JSON."""
        return rows_of(self.run(command, *arguments, "--output", "json", code=code).out, command)

    def row(self, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Give the only row of a command's JSON."""
        (row,) = self.rows(command, *arguments, code=code)
        return row

    def verdicts(self, *arguments: str, code: int = 0) -> dict[str, str]:
        """Check, and give the verdict on each mirror."""
        return {row["mirror"]: row["verdict"] for row in self.rows("check", *arguments, code=code)}

    def behind(self) -> dict[str, list[Any]]:
        """Give what is remembered of mirrors that are behind."""
        found: dict[str, list[Any]] = json.loads(self.state.read_text(encoding="ascii"))["behind"]
        return found

    def shift(self, seconds: float) -> None:
        """Let so much time go by, for all that is remembered."""
        state = json.loads(self.state.read_text(encoding="ascii"))
        for table in ("behind", "fastest"):
            for row in state[table].values():
                row[1] -= seconds
        self.state.write_text(json.dumps(state), encoding="ascii")


def rows_of(text: str, command: str) -> list[dict[str, Any]]:
    """Read the rows out of the envelope."""
    envelope = json.loads(text)
    assert (envelope["schema"], envelope["command"]) == (1, command)
    rows: list[dict[str, Any]] = envelope["rows"]
    return rows


def program(
    *arguments: str, wrap: Sequence[str] = (), environment: Mapping[str, str] | None = None, timeout: float = 60
) -> Ran:
    """Run the program as a process of its own, with this environment beside the tests' own."""
    command = [*wrap, sys.executable, "-P", "-m", "crane_mirrors", *arguments]
    known = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), **(environment or {})}
    process = subprocess.run(command, env=known, capture_output=True, text=True, timeout=timeout, check=False)
    assert "Traceback" not in process.stderr, process.stderr
    return Ran(process.returncode, process.stdout, process.stderr)


# Not getrusage(): its largest size counts that of whoever started the program, too.
_MEASURED = """
import re, sys
from crane_mirrors.__main__ import main
try:
    sys.exit(main())
finally:
    with open("/proc/self/status") as status:
        print(int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read())[1]) // 1024, file=sys.stderr)
"""


def measured(*arguments: str) -> tuple[Ran, int]:
    """Run the program as a process of its own, and give the most memory that it had, in MB (Linux)."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-P", "-c", _MEASURED, *arguments]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in process.stderr, process.stderr
    return Ran(process.returncode, process.stdout, process.stderr), int(process.stderr.split()[-1])


_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (\S+)')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')

Samples = dict[str, dict[tuple[str, str, str], float]]


def samples_of(text: str) -> Samples:
    """Read Prometheus's text exposition: metric → (kind, name, mirror) → value; each metric is one gauge, declared."""
    found: Samples = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, sort = line.split()[2:]
            assert sort == "gauge"
            assert name not in found, "a metric is declared once, and its samples stand together"
            found[name] = {}
        elif not line.startswith("# HELP "):
            sample = _SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == list(found)[-1], line
            labels = dict(_LABEL.findall(sample[2]))
            key = (labels["kind"], labels["name"], labels["mirror"])
            assert key not in found[sample[1]], line
            found[sample[1]][key] = float(sample[3])
    assert text.endswith("\n")
    return found

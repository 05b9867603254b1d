"""What tests in every folder share: programs they may need, a clean environment, the project as it is shipped."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import settings

PROJECT = Path(__file__).resolve().parent.parent

# How long one example takes says more about the machine than about the code. HYPOTHESIS_PROFILE=more is for a
# search that may take an hour.
settings.register_profile("ci", settings(), deadline=None, max_examples=100)
settings.register_profile("more", settings.get_profile("ci"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def examples(count: int) -> settings:
    """Give the settings of a property test that tries so many examples in CI, and more where more are asked for."""
    return settings(max_examples=count * settings().max_examples // 100)


def absent(reason: str) -> NoReturn:
    """Skip the test for want of something; where CI=true nothing may be wanting, so fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need(program: str) -> str:
    """Give the path of a program that the test talks to; without it the test is skipped, or fails in CI."""
    return shutil.which(program) or absent(f"{program} is not installed")


def unprivileged() -> list[str]:
    """Give the words that run a command without root's powers, if we have them; it still owns root's files."""
    if os.geteuid() != 0:
        return []
    return [need("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where two processes share the tests (`pytest -n 2`), let one run all that talk to servers, for ports are few."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "servers" if has_servers(PROJECT / path) else path

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[Any]:
    """Leave property tests out of what coverage measures: it takes them twice as long, and tables reach all they do."""
    tracer = sys.gettrace() if getattr(pyfuncitem.obj, "is_hypothesis_test", False) else None
    if tracer is None:
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@cache
def has_servers(path: Path) -> bool:
    """Tell whether a file of tests imports what runs servers."""
    return bool(re.search(r"^from (servers|live|shop|attack)\b", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="session", autouse=True)
def neutral_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the settings and folders of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CRANE_MIRRORS_")]:
            patch.delenv(name)
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            patch.delenv(name, raising=False)
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        # A shell ignores Ctrl-C and Ctrl-\ for what it starts in the background, nohup a hangup, and whoever is started
        # inherits that.
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)}
        for number in before:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        yield
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a folder with a path so short that podman, and the names of dockerd's sockets, have room in it."""
    with tempfile.TemporaryDirectory(prefix="cm-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class Ran(NamedTuple):
    """What one call of the program left behind."""

    code: int
    out: str
    err: str


CLI = Callable[..., Ran]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CLI:
    """Give a function that runs the command line in this process, in an empty folder, without a terminal."""
    from crane_mirrors.cli._run import run

    monkeypatch.chdir(tmp_path)

    def cli(*arguments: str) -> Ran:
        code = run(arguments)
        return Ran(code, *capfd.readouterr())

    return cli


@pytest.fixture
def hub(tmp_path: Path) -> str:
    """Give a catalogue that every target for nodes can express in full: a mirror of all of Docker Hub."""
    path = tmp_path / "hub.yaml"
    entry = "{origin: docker.io/*, mirrors: {corp: docker.m.example/*}}"
    path.write_text(
        f"version: 1\nbuiltin: false\nregions: {{cn: [corp]}}\nimages: {{hub: {entry}}}\n", encoding="ascii"
    )
    return str(path)


@pytest.fixture(scope="session")
def path_with_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give a PATH on which `crane-mirrors` is the program under test, run by this Python."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "crane-mirrors"
    # Compiled modules are kept, as they are where the program is installed, but not beside the sources.
    variables = (f"PYTHONPATH={PROJECT / 'src'}", f"PYTHONPYCACHEPREFIX={folder / 'pycache'}")
    python = shlex.join(
        ["env", "-u", "PYTHONDONTWRITEBYTECODE", *variables, sys.executable, "-P", "-m", "crane_mirrors"]
    )
    script.write_text(f'#!/bin/sh\nexec {python} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


@dataclass(frozen=True, slots=True)
class Shipped:
    """The project's two archives, and the copy of the source tree that they were built from."""

    source: Path
    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """Build the wheel and the sdist, once for all tests, from a copy without what the tools left lying about."""
    folder = tmp_path_factory.mktemp("shipped")
    source = shutil.copytree(PROJECT, folder / "source", ignore=leftovers)
    (wheel, sdist) = build(source, folder / "dist", "--wheel", "--sdist")
    return Shipped(source, wheel, sdist)


def leftovers(folder: str, names: list[str]) -> set[str]:
    """Name what a fresh checkout would not have, for `shutil.copytree`."""
    return {
        name
        for name in names
        if name in {"__pycache__", "build", "dist"}
        or (Path(folder) == PROJECT and name.startswith(".") and name not in {".ci", ".gitignore"})
    }


def build(source: Path, out: Path, *formats: str) -> list[Path]:
    """Build archives of a source tree with the build backend of this environment: wheels first, then sdists."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *formats, str(source)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return sorted(out.iterdir(), key=lambda path: path.suffix != ".whl")

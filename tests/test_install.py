"""The project installs and works on every Python of the machine, in each way that people install it.

No network: whatever is installed beside it comes from the wheelhouse that `tests/run.py` fills beforehand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROJECT, Shipped, absent

import crane_mirrors

pytestmark = pytest.mark.install

WHEELHOUSE = Path(sys.prefix, "wheelhouse")

Run = Callable[..., str]


def pythons() -> list[tuple[str, ...]]:
    """Give version and path of each Python that the wheelhouse was filled for."""
    listed = WHEELHOUSE / "pythons.txt"
    if not listed.exists():
        return [("any", sys.executable)]
    return [tuple(line.split(maxsplit=1)) for line in listed.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(params=[pytest.param(path, id=version) for version, path in pythons()])
def python(request: pytest.FixtureRequest) -> str:
    """Give each Python of the machine in turn."""
    if not (WHEELHOUSE / "pythons.txt").exists():
        absent("no wheelhouse; tests/run.py makes it")
    return str(request.param)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs a command in an empty home, with nothing of ours in the environment."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": WHEELHOUSE.as_uri(),  # as a URI, because a blank would separate two of them
        "PIP_NO_INDEX": "1",
        "PIPX_DEFAULT_BACKEND": "pip",  # it would take uv, which has a test of its own
        "PIPX_HOME": str(tmp_path / "tools"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }

    def run(*command: str | Path) -> str:
        process = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    return run


def assert_works(run: Run, script: Path, environment: Path, python: str) -> None:
    """The installed command does the main job, `python -m` does the same, and both on the Python that was asked for."""
    interpreter = environment / "bin" / "python"
    version = "import sys; print(sys.version)"
    assert run(interpreter, "-c", version) == run(python, "-c", version)
    for command in ([script], [interpreter, "-m", "crane_mirrors"]):
        assert crane_mirrors.__version__ in run(*command, "--version")
        assert run(*command, "image", "craned", "--tag", "main-abc123") == (
            "docker pull finops-docker.pkg.coding.net/gocrane/crane/craned:main-abc123\n"
        )
    assert_rewrites(run, script)


def assert_rewrites(run: Run, script: Path) -> None:
    """All documents come out as on every other Python, whose `re` differs from release to release."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(PROJECT / "tests" / "rewrite", Path(folder, "rewrite"))
        expected = sorted(copy.glob("*.coding"))
        documents = [path.with_suffix("") for path in expected]
        run(script, "rewrite", "--in-place", "--mirror", "coding", *documents)
        assert [path.name for path in documents if path.read_bytes() != Path(f"{path}.coding").read_bytes()] == []


@pytest.mark.parametrize("editable", [False, True], ids=["copied", "editable"])
def test_pip_install_from_the_source_tree(
    run: Run, python: str, shipped: Shipped, tmp_path: Path, editable: bool
) -> None:
    """`pip install .` copies the package; an editable install runs, and reads the catalogue of, the source tree."""
    environment = tmp_path / "environment"
    source = shutil.copytree(shipped.source, tmp_path / "source")  # its own, for an editable install writes into it
    run(python, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", *(["--editable"] if editable else []), source)
    assert_works(run, environment / "bin" / "crane-mirrors", environment, python)
    where = run(environment / "bin" / "python", "-c", "import crane_mirrors; print(crane_mirrors.__file__)")
    assert Path(where).is_relative_to(source if editable else environment)
    assert bool(list(environment.rglob("mirrors.yaml"))) is not editable


def test_uv_tool_install_of_the_wheel(run: Run, python: str, shipped: Shipped, tmp_path: Path) -> None:
    """`uv tool install` of the wheel works."""
    uv = Path(sys.prefix, "bin", "uv")
    run(uv, "tool", "install", "--no-index", "--find-links", WHEELHOUSE, "--python", python, shipped.wheel)
    assert_works(run, tmp_path / "bin" / "crane-mirrors", tmp_path / "tools" / "crane-mirrors", python)


def test_pipx_install_of_the_wheel(run: Run, python: str, shipped: Shipped, tmp_path: Path) -> None:
    """`pipx install` of the wheel works."""
    run(sys.executable, "-m", "pipx", "install", "--python", python, shipped.wheel)
    assert_works(run, tmp_path / "bin" / "crane-mirrors", tmp_path / "tools" / "venvs" / "crane-mirrors", python)

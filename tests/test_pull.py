"""`pull`: which client runs, with which words, on which routes, and what comes out of that."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import CLI, PROJECT

from crane_mirrors.cli._runner import Children, each

DIGEST = "sha256:" + "ab" * 32
CODING = "finops-docker.pkg.coding.net/gocrane/crane"
GHCR = "ghcr.io/gocrane/crane"

#: Writes down its words, one line for a call, then does what the shell lines of its test say.
CLIENT = """#!/bin/sh
printf '%s' "${{0##*/}}" >> {log}; printf ' %s' "$@" >> {log}; echo >> {log}
{lines}
"""


@dataclass(frozen=True)
class Clients:
    """A folder that is the whole PATH, and the log of the clients in it."""

    folder: Path
    log: Path

    def add(self, name: str, lines: str = "") -> None:
        client = self.folder / name
        client.write_text(CLIENT.format(log=shlex.quote(str(self.log)), lines=lines), encoding="utf-8")
        client.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clients:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sleep", "cat"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    return Clients(folder, tmp_path / "calls")


def failing_on(*words: str, code: int = 1) -> str:
    return "".join(f'case "$*" in *pull*{word}*) echo "cannot: {word}" >&2; exit {code};; esac\n' for word in words)


@pytest.mark.parametrize(
    ("client", "calls", "out"),
    [
        (
            "docker",
            [f"docker pull {CODING}/craned:v1", f"docker tag {CODING}/craned:v1 docker.io/gocrane/craned:v1"],
            "gocrane/craned:v1",
        ),
        (
            "podman",
            [f"podman pull {CODING}/craned:v1", f"podman tag {CODING}/craned:v1 docker.io/gocrane/craned:v1"],
            "docker.io/gocrane/craned:v1",
        ),
        (
            "nerdctl",
            [f"nerdctl pull {CODING}/craned:v1", f"nerdctl tag {CODING}/craned:v1 docker.io/gocrane/craned:v1"],
            "docker.io/gocrane/craned:v1",
        ),
        (
            "ctr",
            [
                f"ctr images pull {CODING}/craned:v1",
                f"ctr images tag --force {CODING}/craned:v1 docker.io/gocrane/craned:v1",
            ],
            "docker.io/gocrane/craned:v1",
        ),
        ("crictl", [f"crictl pull {CODING}/craned:v1"], f"{CODING}/craned:v1"),
    ],
)
def test_each_client_pulls_and_tags_in_its_own_words(
    client: str, calls: list[str], out: str, cli: CLI, clients: Clients
) -> None:
    """The image is pulled from the best mirror and gets the origin's name, as this client spells both."""
    clients.add(client)
    ran = cli("pull", "craned:v1", "--client", client)
    assert (ran.code, ran.out, clients.calls) == (0, f"{out}\n", calls)
    assert ("crictl cannot give it the name" in ran.err) == (client == "crictl")


@pytest.mark.parametrize(
    ("there", "used"),
    [
        (("docker", "podman", "nerdctl", "ctr", "crictl"), "docker"),
        (("crictl", "ctr", "nerdctl", "podman"), "podman"),
        (("crictl", "ctr"), "ctr"),
    ],
)
def test_the_first_client_on_the_path_pulls(there: tuple[str, ...], used: str, cli: CLI, clients: Clients) -> None:
    """Without --client it is the first that is there, in the order of the documentation."""
    for name in there:
        clients.add(name)
    assert cli("pull", "craned", "--tag", "v1").code == 0
    assert {call.split()[0] for call in clients.calls} == {used}


@pytest.mark.parametrize(
    ("there", "arguments", "said"),
    [
        ((), (), "no client is on the PATH, none of docker, podman, nerdctl, ctr, crictl: install one"),
        ((), ("--client", "podman"), "podman is not on the PATH: install it, or name another by --client"),
        (("ctr",), ("--client", "podman"), "or name another by --client; there is ctr"),
    ],
)
def test_no_client(there: tuple[str, ...], arguments: tuple[str, ...], said: str, cli: CLI, clients: Clients) -> None:
    """A client that is not there is one clear line, exit 3, and nothing runs."""
    for name in there:
        clients.add(name)
    ran = cli("pull", "craned:v1", *arguments)
    assert (ran.code, ran.out, clients.calls) == (3, "", [])
    (line,) = ran.err.splitlines()
    assert said in line


def test_the_next_route_when_one_fails(cli: CLI, clients: Clients) -> None:
    """What a mirror lacks comes from the next one, whose image gets the origin's name; the summary says so."""
    clients.add("podman", failing_on("coding.net", code=125))
    ran = cli("pull", "craned:v1")
    assert ran.code == 0
    assert clients.calls == [
        f"podman pull {CODING}/craned:v1",
        f"podman pull {GHCR}/craned:v1",
        f"podman tag {GHCR}/craned:v1 docker.io/gocrane/craned:v1",
    ]
    assert "cannot: coding.net\n" in ran.err
    assert ran.err.splitlines()[-1] == (
        "craned:v1: pulled from ghcr, as docker.io/gocrane/craned:v1 (before that: coding (exit code 125))"
    )


def test_the_origin_needs_no_other_name(cli: CLI, clients: Clients) -> None:
    """What comes from the origin has the origin's name already."""
    clients.add("docker", failing_on("coding.net", "ghcr.io"))
    ran = cli("pull", "craned:v1")
    assert (ran.code, ran.out) == (0, "gocrane/craned:v1\n")
    assert clients.calls[-1] == "docker pull gocrane/craned:v1"


def test_no_route_works(cli: CLI, clients: Clients) -> None:
    """When every route fails the exit code is the client's last one, and each route is named with what it gave."""
    clients.add("docker", failing_on("coding.net", code=7) + failing_on("ghcr.io", code=8) + "exit 9")
    ran = cli("pull", "craned:v1")
    assert (ran.code, ran.out) == (9, "")
    assert ran.err.splitlines()[-1] == (
        "crane-mirrors: craned:v1: failed: coding (exit code 7), ghcr (exit code 8), dockerhub (exit code 9)"
    )


def test_a_client_that_is_killed(cli: CLI, clients: Clients) -> None:
    """A client that a signal ends counts as a shell counts it, and the next route is tried."""
    clients.add("docker", 'case "$*" in *coding*) kill -9 $$;; esac')
    ran = cli("pull", "craned:v1", "-o", "json")
    (row,) = json.loads(ran.out)["rows"]
    assert [attempt["exit_code"] for attempt in row["attempts"]] == [137, 0]


def test_a_client_that_cannot_be_started(cli: CLI, clients: Clients) -> None:
    """What is on the PATH but no program fails like a client that fails, without a traceback."""
    clients.add("docker")
    (clients.folder / "docker").write_text("#!/nowhere/at-all\n", encoding="utf-8")
    ran = cli("pull", "craned:v1", "-m", "ghcr")
    assert ran.code == 126
    assert "docker: no such file or directory" in ran.err


def test_tagging_that_fails(cli: CLI, clients: Clients) -> None:
    """An image without the name that was asked for is a failure, and no reason to pull it from elsewhere."""
    clients.add("docker", 'test "$1" != tag || exit 3')
    ran = cli("pull", "craned:v1")
    assert (ran.code, ran.out) == (3, "")
    assert len(clients.calls) == 2
    assert "craned:v1: could not be tagged gocrane/craned:v1 (exit code 3), but is here from coding" in ran.err


@pytest.mark.parametrize(
    ("client", "name", "calls", "out"),
    [
        ("docker", f"craned@{DIGEST}", [f"docker pull {CODING}/craned@{DIGEST}"], f"{CODING}/craned@{DIGEST}"),
        (
            "docker",
            f"craned:v1@{DIGEST}",
            [
                f"docker pull {CODING}/craned:v1@{DIGEST}",
                f"docker tag {CODING}/craned@{DIGEST} docker.io/gocrane/craned:v1",
            ],
            "gocrane/craned:v1",
        ),
        (
            "ctr",
            f"craned@{DIGEST}",
            [
                f"ctr images pull {CODING}/craned@{DIGEST}",
                f"ctr images tag --force {CODING}/craned@{DIGEST} docker.io/gocrane/craned@{DIGEST}",
            ],
            f"docker.io/gocrane/craned@{DIGEST}",
        ),
    ],
)
def test_digests(client: str, name: str, calls: list[str], out: str, cli: CLI, clients: Clients) -> None:
    """A digest goes to every route as it is; the origin's name needs a tag, but for ctr, which takes any name."""
    clients.add(client)
    ran = cli("pull", name)
    assert (ran.code, ran.out, clients.calls) == (0, f"{out}\n", calls)
    assert ("no tag is known" in ran.err) == (len(calls) == 1)


def test_the_origin_by_digest(cli: CLI, clients: Clients) -> None:
    """What is pulled from the origin by digest has no tag there, even if one was given: it gets it too."""
    clients.add("docker")
    ran = cli("pull", f"craned:v1@{DIGEST}", "-m", "origin")
    assert (ran.code, ran.out) == (0, "gocrane/craned:v1\n")
    assert clients.calls[-1] == f"docker tag docker.io/gocrane/craned@{DIGEST} docker.io/gocrane/craned:v1"


def test_no_tag_as(cli: CLI, clients: Clients) -> None:
    """With --no-tag-as the image keeps the mirror's name only."""
    clients.add("docker")
    ran = cli("pull", "craned:v1", "--no-tag-as")
    assert (ran.code, ran.out, clients.calls) == (0, f"{CODING}/craned:v1\n", [f"docker pull {CODING}/craned:v1"])


@pytest.mark.parametrize(
    ("arguments", "mirrors"),
    [
        ((), ["coding", "ghcr", "dockerhub"]),
        (("--region", "global"), ["dockerhub", "ghcr", "coding"]),
        (("-m", "ghcr"), ["ghcr"]),
        (("-m", "origin", "-m", "coding"), ["dockerhub", "coding"]),
    ],
)
def test_routes_that_are_tried(arguments: tuple[str, ...], mirrors: list[str], cli: CLI, clients: Clients) -> None:
    """The region orders the routes; mirrors that are named are tried in their order, and no others."""
    clients.add("docker", "exit 1")
    ran = cli("pull", "craned:v1", "-o", "json", *arguments)
    (row,) = json.loads(ran.out)["rows"]
    assert [attempt["mirror"] for attempt in row["attempts"]] == mirrors


def test_platform_and_tag_go_to_the_client(cli: CLI, clients: Clients) -> None:
    """--platform and --tag hold for every image of the call."""
    clients.add("podman")
    assert cli("pull", "craned", "dashboard", "--tag", "v2", "--platform", "linux/aarch64", "--no-tag-as").code == 0
    assert clients.calls == [
        f"podman pull --platform linux/arm64 {CODING}/{name}:v2" for name in ("craned", "dashboard")
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("craned", "no-such-image"), 3),
        (("craned", "--tag", "-bad"), 2),
        (("craned:v1", "--tag", "v2"), 2),
        (("craned", "--platform", "linux/arm64", "--client", "crictl"), 2),
        (("craned", "-m", "gitee"), 3),
        (("craned", "--jobs", "0"), 2),
        (("craned:main", f"craned:main@sha256:{64 * '0'}"), 2),
        (("craned", "--pin", "--fastest"), 2),
        (("craned", "--auth"), 2),
        (("craned", "--trust", "ghcr"), 2),
        ((), 2),
    ],
)
def test_mistakes_are_found_before_anything_is_pulled(
    arguments: tuple[str, ...], code: int, cli: CLI, clients: Clients
) -> None:
    """A name that is not there, or options that make no sense, stop the whole call before its first client runs."""
    for name in ("docker", "crictl"):
        clients.add(name)
    ran = cli("pull", *arguments)
    assert (ran.code, clients.calls) == (code, [])


def test_several_images_with_one_that_fails(cli: CLI, clients: Clients) -> None:
    """One image's failure leaves the others alone; rows and errors are told in the order of the arguments."""
    clients.add("docker", failing_on("dashboard", code=4) + failing_on("fadvisor", code=5))
    ran = cli("pull", "craned:v1", "dashboard:v1", "fadvisor:v1", "craned:v1", "-o", "json")
    assert ran.code == 4
    whole = json.loads(ran.out)
    assert [(row["name"], row["status"], row["exit_code"], row["mirror"]) for row in whole["rows"]] == [
        ("craned", "pulled", 0, "coding"),
        ("dashboard", "failed", 4, None),
        ("fadvisor", "failed", 5, None),
    ]
    assert [error["exit_code"] for error in whole["errors"]] == [4, 5]
    assert ran.err.splitlines()[-1] == "1 of 3 images pulled"


def test_a_row(cli: CLI, clients: Clients) -> None:
    """The row of an image says where it came from, what it is called now, and every route that was tried."""
    clients.add("podman", failing_on("coding"))
    (row,) = json.loads(cli("pull", "craned:v1", "-o", "json").out)["rows"]
    assert row == {
        "kind": "image",
        "name": "craned",
        "client": "podman",
        "status": "pulled",
        "mirror": "ghcr",
        "host": "ghcr.io",
        "reference": f"{GHCR}/craned:v1",
        "tagged": "docker.io/gocrane/craned:v1",
        "exit_code": 0,
        "attempts": [
            {"mirror": "coding", "reference": f"{CODING}/craned:v1", "exit_code": 1},
            {"mirror": "ghcr", "reference": f"{GHCR}/craned:v1", "exit_code": 0},
        ],
    }


def test_dry_run_prints_the_commands(cli: CLI, clients: Clients) -> None:
    """--dry-run needs no client, runs nothing, prints the commands of the best route, and names the others."""
    clients.add("ctr")
    ran = cli("pull", "craned:v1", "dashboard:v2", "--client", "docker", "--dry-run")
    assert (ran.code, clients.calls) == (0, [])
    assert ran.out.splitlines() == [
        f"docker pull {CODING}/craned:v1",
        f"docker tag {CODING}/craned:v1 docker.io/gocrane/craned:v1",
        f"docker pull {CODING}/dashboard:v2",
        f"docker tag {CODING}/dashboard:v2 docker.io/gocrane/dashboard:v2",
    ]
    assert f"craned:v1: if that fails: docker pull {GHCR}/craned:v1, docker pull gocrane/craned:v1" in ran.err
    rows = json.loads(cli("pull", "craned:v1", "--client", "docker", "--dry-run", "-o", "json").out)["rows"]
    assert [(row["mirror"], len(row["commands"])) for row in rows] == [("coding", 2), ("ghcr", 2), ("dockerhub", 1)]


def test_jobs_keep_the_outputs_apart(cli: CLI, clients: Clients) -> None:
    """With --jobs every line of a client stands whole behind its image's name, with no cursor movement in it."""
    lines = "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); printf 'half '; printf '\\033[1A%s\\r%s\\n' old \"$2\"; done"
    clients.add("docker", f'test "$1" = tag || {{ {lines}; }}')
    names = ["craned:v1", "dashboard:v1", "fadvisor:v1"]
    ran = cli("pull", *names, "--jobs", "3")
    assert ran.code == 0
    assert "\x1b" not in ran.err
    for name in names:
        assert ran.err.splitlines().count(f"{name}: {CODING}/{name}") == 200
    assert ran.out.splitlines() == [f"gocrane/{name}" for name in names]


def test_jobs_pull_at_once(cli: CLI, clients: Clients, tmp_path: Path) -> None:
    """As many clients run at the same time as --jobs says: each waits until the others have begun."""
    meet = f': > "{tmp_path}/at-$$"; while set -- {tmp_path}/at-*; test $# -lt 3; do sleep 0.01; done'
    clients.add("docker", f'test "$1" = tag || {{ {meet}; }}')
    assert cli("pull", "craned:v1", "dashboard:v1", "fadvisor:v1", "--jobs", "3").code == 0


def test_jobs_give_names_one_after_the_other(cli: CLI, clients: Clients, tmp_path: Path) -> None:
    """A client that names an image forgets what another one gave it meanwhile, so none runs beside that one."""
    busy = shlex.quote(str(tmp_path / "busy"))
    for name in ("mkdir", "rmdir"):
        (clients.folder / name).symlink_to(f"/bin/{name}")
    lines = f'case "$*" in tag*|pull*fadvisor*) mkdir {busy} && sleep 0.2 && rmdir {busy} || exit 9;; esac'
    clients.add("podman", lines)
    ran = cli("pull", "craned:v1", "dashboard:v1", "fadvisor:v1", "--jobs", "3")
    assert ran.code == 0, ran.err


def test_one_job_names_each_image_at_once(cli: CLI, clients: Clients) -> None:
    """Without --jobs an image has its name before the next one is pulled: what comes is whole, however it ends."""
    clients.add("podman")
    assert cli("pull", "craned:v1", "dashboard:v1").code == 0
    assert [call.split()[1] for call in clients.calls] == ["pull", "tag", "pull", "tag"]


def test_a_pipe_that_is_held_open_is_not_waited_for(cli: CLI, clients: Clients) -> None:
    """What a client leaves running, a pause process for example, does not keep us."""
    clients.add("docker", "sleep 8 & exit 0")
    begin = time.monotonic()
    assert cli("pull", "craned:v1", "dashboard:v1", "--jobs", "2", "--no-tag-as").code == 0
    assert time.monotonic() - begin < 6


def on_terminal(*arguments: str, tostop: bool = False) -> tuple[int, str]:
    """Run the program with a terminal of its own; give the exit code and what the terminal shows."""
    pid, leader = pty.fork()
    if pid == 0:
        try:
            os.environ["PYTHONPATH"] = str(PROJECT / "src")
            os.execv(sys.executable, [sys.executable, "-P", "-m", "crane_mirrors", "pull", *arguments])
        finally:
            os._exit(127)  # or there would be two of pytest
    if tostop:
        settings = termios.tcgetattr(leader)
        settings[3] |= termios.TOSTOP
        termios.tcsetattr(leader, termios.TCSANOW, settings)
    shown = b""
    limit = time.monotonic() + 20
    with contextlib.suppress(OSError):  # EIO: nobody has the terminal open any more
        while select.select([leader], [], [], max(0, limit - time.monotonic()))[0]:
            shown += os.read(leader, 65536)
    os.close(leader)
    _, state = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(state), shown.decode()


def test_a_client_sees_the_terminal(clients: Clients) -> None:
    """With one image at a time the client writes to our terminal itself, and can draw its progress bar there."""
    clients.add("docker", 'test -t 1 && test -t 2 && echo "drawn by $1"')
    code, shown = on_terminal("craned:v1", "dashboard:v1")
    assert code == 0
    assert shown.count("drawn by pull") == 2
    assert re.search(r"craned:v1 +coding +gocrane/craned:v1", shown)


@pytest.mark.parametrize("lines", ["echo here", "cat < /dev/tty || echo no input"])
def test_a_client_is_not_stopped_by_the_terminal(lines: str, clients: Clients) -> None:
    """A terminal that stops who writes or reads in its background does not stop a client for ever."""
    clients.add("docker", lines)
    code, _ = on_terminal("craned:v1", tostop=True)
    assert code == 0


def test_nohup(clients: Clients, tmp_path: Path) -> None:
    """Whoever started us with SIGHUP ignored wants it to stay so."""
    clients.add("docker", f"{sleeper(tmp_path).replace('60', '1')}")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started(clients, "craned:v1")
    finally:
        signal.signal(signal.SIGHUP, before)
    noted(tmp_path, 2)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    assert process.returncode == 0


def started(clients: Clients, *arguments: str) -> subprocess.Popen[str]:
    """Start the program in a process of its own, and wait until a client runs."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "crane_mirrors", "pull", *arguments],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 20
    while len(clients.calls) < arguments.count("craned:v1") + arguments.count("dashboard:v1"):
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.01)
    return process


def alive(pids: Sequence[int]) -> list[int]:
    """Give those that are still there after a while: who was killed needs a moment to go."""
    left, limit = list(pids), time.monotonic() + 5
    while (left := [pid for pid in left if _is_alive(pid)]) and time.monotonic() < limit:
        time.sleep(0.01)
    return left


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGHUP, -signal.SIGHUP),
        (signal.SIGQUIT, -signal.SIGQUIT),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_signals_end_the_clients(
    number: signal.Signals, code: int, jobs: int, clients: Clients, tmp_path: Path
) -> None:
    """Ctrl-C is 130, other signals end us as they end anything, and no client, nor what it started, outlives us."""
    clients.add("docker", sleeper(tmp_path))
    names = ["craned:v1", "dashboard:v1"][:jobs]
    process = started(clients, *names, "fadvisor:v1", "--jobs", str(jobs))
    pids = noted(tmp_path, 2 * jobs)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert err.count("docker pull") == jobs  # nothing is said to run that does not
    assert not alive(pids)


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGHUP, signal.SIGTERM),
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGQUIT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
    ],
)
def test_signals_at_the_same_moment(numbers: tuple[signal.Signals, ...], clients: Clients, tmp_path: Path) -> None:
    """Signals that come together, as when a session ends, end us as one of them does: which comes first is chance."""
    clients.add("docker", f"trap '' TERM INT; {sleeper(tmp_path)}")
    process = started(clients, "craned:v1", "dashboard:v1", "--jobs", "2")
    pids = noted(tmp_path, 4)
    process.send_signal(signal.SIGSTOP)
    for number in numbers:
        process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=20)
    assert process.returncode in [130 if number == signal.SIGINT else -number for number in numbers]
    assert out == ""
    assert "Traceback" not in err
    assert not alive(pids)


def test_a_signal_that_does_not_end_the_wait_is_seen() -> None:
    """One that comes in the moment before the wait, or to another thread, ends us before the clients do."""
    ended = threading.Event()
    late: list[bool] = []
    children = Children()

    def work(_item: str) -> None:
        time.sleep(0.5)  # until we wait
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        late.append(not ended.wait(20))

    try:
        with pytest.raises(KeyboardInterrupt), children.ended_with_us():
            each(["one"], work, jobs=1, watch=children.obey)
        assert late == []
    finally:
        ended.set()


def test_a_signal_after_the_last_client_is_seen() -> None:
    """One that comes when there is nothing to wait for any more is not lost."""
    children = Children()
    with pytest.raises(KeyboardInterrupt), children.ended_with_us():
        signal.raise_signal(signal.SIGINT)


def test_a_client_that_will_not_end(clients: Clients, tmp_path: Path) -> None:
    """A client that ignores being asked has a while for it; a second Ctrl-C makes it end at once."""
    clients.add("docker", f"trap '' TERM INT; {sleeper(tmp_path)}")
    process = started(clients, "craned:v1")
    pids = noted(tmp_path, 2)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert time.monotonic() - begin < 4
    assert not alive(pids)


def sleeper(folder: Path) -> str:
    return f'echo > "{folder}/pid-$$"; sleep 60 & echo > "{folder}/pid-$!"; wait'


def noted(folder: Path, count: int) -> list[int]:
    limit = time.monotonic() + 5
    while len(list(folder.glob("pid-*"))) < count and time.monotonic() < limit:
        time.sleep(0.01)
    pids = [int(file.name.partition("-")[2]) for file in folder.glob("pid-*")]
    assert len(pids) == count
    return pids

"""Logins of Docker's configuration: every form of it, and credential helpers good and bad."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_mirrors.cli import _credentials
from crane_mirrors.cli._credentials import logins
from crane_mirrors.errors import FileFailed
from crane_mirrors.live.tokens import Login

SECRET = "s3cr3t-correct-horse"
HOST = "registry.example:5000"


def auth(user: str = "alice", password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Give a function that writes Docker's configuration; programs are found in the test's folder alone."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(value: Any) -> None:
        (tmp_path / "config.json").write_text(json.dumps(value), encoding="utf-8")

    return write


@pytest.fixture
def helper(tmp_path: Path) -> Callable[[str, str], Path]:
    """Give a function that makes a credential helper of a few lines of Python; it gives the file of what was asked."""

    def make(name: str, script: str) -> Path:
        log = tmp_path / f"{name}.log"
        program = tmp_path / f"docker-credential-{name}"
        lines = [f"#!{sys.executable} -IS", "import json, sys, time", "asked = sys.stdin.read()"]
        lines += [f"open({str(log)!r}, 'a').write(f'{{sys.argv[1:]}} {{asked}}\\n')", script]
        program.write_text("\n".join([*lines, ""]), encoding="utf-8")
        program.chmod(0o755)
        return log

    return make


@pytest.mark.parametrize(
    ("auths", "host", "expected"),
    [
        ({HOST: auth()}, HOST, ("alice", SECRET)),
        ({f"https://{HOST}": auth()}, HOST, ("alice", SECRET)),
        ({"https://index.docker.io/v1/": auth()}, "docker.io", ("alice", SECRET)),
        ({"docker.io": auth()}, "docker.io", ("alice", SECRET)),
        ({"index.docker.io": auth()}, "docker.io", ("alice", SECRET)),
        ({HOST: auth(password="a:b:c")}, HOST, ("alice", "a:b:c")),
        ({HOST: auth(password="pässword")}, HOST, ("alice", "pässword")),
        ({HOST: auth(password="x\0\0")}, HOST, ("alice", "x")),  # Docker itself pads it
        ({HOST: {"identitytoken": SECRET}}, HOST, ("", SECRET)),
        ({HOST: {**auth(), "identitytoken": SECRET}}, HOST, ("", SECRET)),
        ({HOST: {**auth(), "identitytoken": ""}}, HOST, ("alice", SECRET)),
        # What is another's, is for nobody else.
        ({"registry.example": auth()}, HOST, None),
        ({HOST: auth()}, "registry.example", None),
        ({"https://registry.example/": auth(), "example": auth(), "*": auth()}, HOST, None),
        ({"docker.io": auth()}, "evil-docker.io", None),
        ({"https://index.docker.io/v1/": auth()}, "ghcr.io", None),
        # Forms that make no sense.
        ({HOST: {}}, HOST, None),
        ({HOST: None}, HOST, None),
        ({HOST: [auth()]}, HOST, None),
        ({HOST: {"auth": None}}, HOST, None),
        ({HOST: {"auth": 1}}, HOST, None),
        ({HOST: {"auth": ""}}, HOST, None),
        ({HOST: {"auth": "not base64!"}}, HOST, None),
        ({HOST: {"auth": "é"}}, HOST, None),
        ({HOST: {"auth": base64.b64encode(b"\xff\xfe:x").decode()}}, HOST, None),
        ({HOST: {"auth": base64.b64encode(b"no colon").decode()}}, HOST, None),
        ({HOST: {"auth": base64.b64encode(b":no user").decode()}}, HOST, None),
        ({HOST: {"identitytoken": 5}}, HOST, None),
        ([], HOST, None),
        (None, HOST, None),
        ("x", HOST, None),
    ],
)
def test_logins_in_the_file(
    auths: Any, host: str, expected: tuple[str, str] | None, config: Callable[[Any], None]
) -> None:
    """Each form that Docker writes is read, for the registry that it was written for and no other."""
    config({"auths": auths, "HttpHeaders": {"X": "y"}})
    assert logins([host, "another.example"])(host) == expected
    assert logins([host])("another.example") is None


@pytest.mark.parametrize("text", ["{", "", "\0", '{"auths": {', "[" * 100_000, '{"a": "\\ud800'])
def test_file_that_is_no_json(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken configuration is an error that names the file, and none of its text."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(FileFailed, match=r"config\.json: not JSON$"):
        logins([HOST])


@pytest.mark.parametrize("value", [[], "x", None, 5, {"auths": {}}, {"credHelpers": [], "credsStore": []}])
def test_file_that_has_nothing(value: Any, config: Callable[[Any], None]) -> None:
    """What has no login gives none."""
    config(value)
    assert logins([HOST])(HOST) is None


def test_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """That there is no configuration is said, but only to who wanted it."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert logins([])(HOST) is None
    assert capfd.readouterr().err == ""
    assert logins([HOST])(HOST) is None
    assert "there is none, so --auth has no login to use" in capfd.readouterr().err
    (tmp_path / "config.json").mkdir()
    with pytest.raises(FileFailed, match="is a directory"):
        logins([HOST])


ANSWER = f'print(json.dumps({{"ServerURL": asked, "Username": "alice", "Secret": "{SECRET}"}}))'


@pytest.mark.parametrize(
    ("value", "host", "asked"),
    [
        ({"credHelpers": {HOST: "good"}}, HOST, [HOST]),
        ({"credsStore": "good"}, HOST, [HOST]),
        ({"credsStore": "good"}, "docker.io", ["https://index.docker.io/v1/"]),
        ({"credHelpers": {"docker.io": "good"}}, "docker.io", ["docker.io"]),
        ({"credHelpers": {"ghcr.io": "good"}}, HOST, []),
        ({"credHelpers": {HOST: "good"}, "credsStore": "bad"}, HOST, [HOST]),
        ({"credHelpers": {HOST: "good"}, "auths": {HOST: auth("bob", "other")}}, HOST, [HOST]),
    ],
)
def test_helpers(
    value: Any, host: str, asked: list[str], config: Callable[[Any], None], helper: Callable[[str, str], Path]
) -> None:
    """A helper is asked for its own registries, with `get` and the name on its input."""
    log = helper("good", ANSWER)
    config(value)
    assert logins([host])(host) == (("alice", SECRET) if asked else None)
    assert (log.read_text(encoding="utf-8").splitlines() if log.exists() else []) == [f"['get'] {key}" for key in asked]


def test_helper_with_an_identity_token(config: Callable[[Any], None], helper: Callable[[str, str], Path]) -> None:
    """The user `<token>` means that the secret is an identity token."""
    helper("good", ANSWER.replace("alice", "<token>"))
    config({"credsStore": "good"})
    assert logins([HOST])(HOST) == Login("", SECRET)


@pytest.mark.parametrize(
    "script",
    [
        "print('credentials not found in native keychain'); sys.exit(1)",
        f"print('{SECRET}'); print('{SECRET}', file=sys.stderr); sys.exit(1)",
        f"print('{SECRET}')",
        "print('[]')",
        "print('null')",
        "print('{}')",
        """print('{"Username": "alice"}')""",
        """print('{"Username": "alice", "Secret": ""}')""",
        """print('{"Username": 1, "Secret": 2}')""",
        "print('[' * 100000)",
        "sys.stdout.buffer.write(b'\\xff\\xfe')",
        "sys.exit(0)",
        "import os; os.kill(os.getpid(), 9)",
        "sys.stdin.close(); sys.stdout.close(); raise SystemExit(3)",
    ],
)
def test_helpers_that_are_broken(
    script: str,
    config: Callable[[Any], None],
    helper: Callable[[str, str], Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A helper that fails, or answers with anything else, gives no login; what the file has still counts."""
    helper("bad", script)
    config({"credHelpers": {HOST: "bad"}})
    assert logins([HOST])(HOST) is None
    config({"credHelpers": {HOST: "bad"}, "auths": {HOST: auth("bob")}})
    assert logins([HOST])(HOST) == ("bob", SECRET)
    out, err = capfd.readouterr()
    assert out == ""
    assert SECRET not in err
    assert all(line.startswith(f"note: docker-credential-bad gives no login for {HOST}") for line in err.splitlines())


@pytest.mark.parametrize(
    "name", ["missing", "../evil", "/bin/sh", "a b", "", "a;b", "$(x)", 5, None, ["x"], {"a": 1}, "é"]
)
def test_helpers_that_are_none(name: Any, config: Callable[[Any], None], capfd: pytest.CaptureFixture[str]) -> None:
    """A name that is no program's, or of one that is not there, gives no login."""
    config({"credHelpers": {HOST: name}, "credsStore": name})
    assert logins([HOST])(HOST) is None
    assert "Traceback" not in capfd.readouterr().err


def test_helper_that_does_not_end(
    config: Callable[[Any], None],
    helper: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A helper that hangs is left alone after a while, which many registries do not make any longer."""
    monkeypatch.setattr(_credentials, "_HELPER_SECONDS", 0.5)
    helper("slow", "time.sleep(30)")
    config({"credsStore": "slow"})
    start = time.monotonic()
    hosts = [f"registry-{number}.example" for number in range(6)]
    found = logins(hosts)
    assert all(found(host) is None for host in hosts)
    assert time.monotonic() - start < 2.5
    assert "docker-credential-slow gives no login" in capfd.readouterr().err


def test_helper_that_floods(config: Callable[[Any], None], helper: Callable[[str, str], Path]) -> None:
    """A helper that writes without end is cut off, and takes no memory to speak of."""
    import resource

    helper("loud", "for _ in range(3000): sys.stdout.write('a' * 100000)")
    config({"credsStore": "loud"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert logins([HOST])(HOST) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_helper_that_leaves_something_running(
    config: Callable[[Any], None], helper: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child of the helper that holds its output open keeps nobody waiting for ever."""
    monkeypatch.setattr(_credentials, "_HELPER_SECONDS", 0.5)
    helper("forked", "import os\nif os.fork() == 0: time.sleep(4)")
    config({"credsStore": "forked"})
    start = time.monotonic()
    assert logins([HOST])(HOST) is None
    assert time.monotonic() - start < 3


def test_logins_do_not_show_themselves() -> None:
    """A login that gets into a message by mistake has nothing to tell."""
    assert SECRET not in f"{Login('alice', SECRET)!r} {Login('alice', SECRET)}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([HOST, "good"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["auths", "credHelpers", "credsStore", "auth", "identitytoken", HOST]), inner, max_size=4
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_configurations_of_any_form(config: Callable[[Any], None], value: Any) -> None:
    """Whatever JSON it is, it is read."""
    config(value)
    login = logins([HOST])(HOST)
    assert login is None or all(isinstance(part, str) for part in login)


def test_where_the_configuration_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in DOCKER_CONFIG, or else in the home folder."""
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {HOST: auth()}}), encoding="utf-8")
    assert logins([HOST])(HOST) == ("alice", SECRET)
    monkeypatch.setenv("DOCKER_CONFIG", os.path.join(tmp_path, "elsewhere"))
    assert logins([HOST])(HOST) is None

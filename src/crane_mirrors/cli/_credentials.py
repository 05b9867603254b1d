"""``--auth``: the logins that Docker's configuration has, in the file itself or with a credential helper.

https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any

from crane_mirrors.cli._messages import note
from crane_mirrors.errors import FileFailed
from crane_mirrors.reference import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crane_mirrors.live.tokens import Login

__all__ = ["logins"]

_LARGEST = 2**20
_HELPER_SECONDS = 20
_HUB_KEY = "https://index.docker.io/v1/"


def logins(hosts: Iterable[str]) -> Callable[[str], Login | None]:
    """Look up the accounts at some registries, before any is asked. Raises FileFailed for a broken configuration."""
    hosts = list(dict.fromkeys(map(_spelt, hosts)))
    config = _config() if hosts else {}
    silent: set[str] = set()
    found = {host: _login(config, host, silent) for host in hosts}
    return lambda host: found.get(_spelt(host))


def _spelt(host: str) -> str:
    return DOCKER_HUB[0] if host in DOCKER_HUB else host


def _config() -> dict[str, Any]:
    folder = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    path = os.path.join(folder, "config.json")
    try:
        with open(path, "rb") as file:
            config = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        note(f"{path}: there is none, so --auth has no login to use")
        return {}
    except OSError as error:
        raise FileFailed(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, RecursionError):
        raise FileFailed(f"{path}: not JSON") from None
    return config if isinstance(config, dict) else {}


def _login(config: dict[str, Any], host: str, silent: set[str]) -> Login | None:
    keys = (_HUB_KEY, *DOCKER_HUB[:2]) if host == DOCKER_HUB[0] else (host, f"https://{host}")
    helpers = config.get("credHelpers")
    for key in keys:
        name = helpers.get(key) if isinstance(helpers, dict) else None
        if name and (login := _asked(name, key, silent)):
            return login
    if (store := config.get("credsStore")) and (login := _asked(store, keys[0], silent)):
        return login
    auths = config.get("auths")
    for key in keys:
        if isinstance(auths, dict) and isinstance(auths.get(key), dict) and (login := _written(auths[key])):
            return login
    return None


def _written(row: dict[str, Any]) -> Login | None:
    from crane_mirrors.live.tokens import Login

    if isinstance(token := row.get("identitytoken"), str) and token:
        return Login("", token)
    try:
        user, colon, password = base64.b64decode(str(row.get("auth", "")), validate=True).decode().partition(":")
    except ValueError:
        return None
    return Login(user, password.rstrip("\0")) if colon and user else None


def _asked(name: object, key: str, silent: set[str]) -> Login | None:
    """Ask a credential helper, unless it was silent before; its name comes from the person's own configuration."""
    from crane_mirrors.live.tokens import Login

    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or name in silent:
        return None
    program = f"docker-credential-{name}"
    try:
        answer = json.loads(_output(program, key) or b"{}")
    except subprocess.TimeoutExpired:
        silent.add(name)
        note(f"{program} gives no login for {key}: it does not end")
        return None
    except (OSError, ValueError, RecursionError):
        note(f"{program} gives no login for {key}")
        return None
    user, secret = (answer.get("Username"), answer.get("Secret")) if isinstance(answer, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Login("" if user == "<token>" else user, secret)


def _output(program: str, key: str) -> bytes:
    """Give what a helper prints, nothing where it fails. Raises OSError, TimeoutExpired, ValueError for a flood."""
    deadline = time.monotonic() + _HELPER_SECONDS
    process = subprocess.Popen(
        [program, "get"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    answer = b""
    with process:
        assert process.stdin
        assert process.stdout
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(key.encode())
                process.stdin.close()
            # Not read at one go: whatever a helper leaves running may hold its output open for ever.
            while select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                if not (chunk := os.read(process.stdout.fileno(), 2**16)):
                    return answer if process.wait(max(0.0, deadline - time.monotonic())) == 0 else b""
                answer += chunk
                if len(answer) > _LARGEST:
                    raise ValueError("too much")
            raise subprocess.TimeoutExpired(program, _HELPER_SECONDS)
        finally:
            process.kill()

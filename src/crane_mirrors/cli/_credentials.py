"""``--auth``: the logins that Docker's configuration has, in the file itself or with a credential helper.

https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from crane_mirrors.cli._messages import note
from crane_mirrors.errors import FileFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crane_mirrors.live.tokens import Login

__all__ = ["logins"]

_LARGEST = 2**20
_HELPER_SECONDS = 20
_HUB_KEY = "https://index.docker.io/v1/"


def logins(hosts: Iterable[str]) -> Callable[[str], Login | None]:
    """Look up the accounts at some registries, before any is asked. Raises FileFailed for a broken configuration."""
    hosts = list(dict.fromkeys(hosts))
    config = _config() if hosts else {}
    found = {host: _login(config, host) for host in hosts}
    return found.get


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


def _login(config: dict[str, Any], host: str) -> Login | None:
    keys = (_HUB_KEY, "docker.io", "index.docker.io") if host == "docker.io" else (host, f"https://{host}")
    helpers = config.get("credHelpers")
    for key in keys:
        name = helpers.get(key) if isinstance(helpers, dict) else None
        if name and (login := _asked(name, key)):
            return login
    if (store := config.get("credsStore")) and (login := _asked(store, keys[0])):
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


def _asked(name: object, key: str) -> Login | None:
    """Ask a credential helper; the name of a program comes from the person's own configuration."""
    from crane_mirrors.live.tokens import Login

    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        return None
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, timeout=_HELPER_SECONDS, check=False
        )
        answer = json.loads(done.stdout[:_LARGEST]) if done.returncode == 0 else {}
    except (OSError, ValueError, RecursionError, subprocess.TimeoutExpired):
        note(f"{program} gives no login for {key}")
        return None
    user, secret = (answer.get("Username"), answer.get("Secret")) if isinstance(answer, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Login("" if user == "<token>" else user, secret)

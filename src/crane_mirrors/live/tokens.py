"""What a registry that says 401 wants to see: an anonymous token, a token for a login, or the login itself."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode, urlsplit

from crane_mirrors.live.addresses import check_realm
from crane_mirrors.live.ask import Ask
from crane_mirrors.live.causes import Failed, status_cause
from crane_mirrors.live.challenge import parse_challenges

if TYPE_CHECKING:
    from crane_mirrors.live.challenge import Challenge
    from crane_mirrors.live.exchange import Exchanger

__all__ = ["Login", "authorization", "nobody"]


class Login(NamedTuple):
    """A person's account at one registry; with ``user`` empty, ``password`` is an identity token."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Hide what is secret."""
        return "Login(…)"

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header (RFC 7617).

        >>> Login("Aladdin", "open sesame").basic
        'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
        """
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def nobody(_host: str) -> Login | None:
    """Have no account at any registry."""
    return None


async def authorization(
    exchanger: Exchanger, header: str, url: str, repository: str, deadline: float, login: Login | None
) -> str:
    """Give the ``Authorization`` that a challenge asks for, to pull one repository. Raises Failed.

    ``url`` is what was refused; a login is shown over https only, or on this machine.
    """
    challenges = parse_challenges(header)
    bearer = next((found for found in challenges if found.scheme == "bearer"), None)
    if bearer:
        return f"Bearer {await _token(exchanger, bearer, url, repository, deadline, login)}"
    if any(found.scheme == "basic" for found in challenges) and login and login.user:
        _check_safe(url)
        return login.basic
    raise Failed("401, credentials needed" if challenges else "401 without a challenge")


async def _token(
    exchanger: Exchanger, bearer: Challenge, url: str, repository: str, deadline: float, login: Login | None
) -> str:
    """Fetch a token: https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/."""
    realm = bearer.parameters.get("realm", "")
    check_realm(realm, url)
    asked = {"scope": f"repository:{repository}:pull"}
    if service := bearer.parameters.get("service"):
        asked["service"] = service
    ask = Ask(realm + ("&" if urlsplit(realm).query else "?") + urlencode(asked))
    if login:
        _check_safe(realm)
        if login.user:
            ask = ask._replace(secret={"Authorization": login.basic})
        else:
            form = {
                **asked,
                "grant_type": "refresh_token",
                "client_id": "crane-mirrors",
                "refresh_token": login.password,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            ask = Ask(realm, "POST", headers, urlencode(form).encode())
    reply = await exchanger.get(ask, deadline)
    if reply.status != 200:
        raise Failed(f"token: {status_cause(reply.status, reply.headers.get('retry-after'))}")
    return _read_token(reply.body)


def _read_token(body: bytes) -> str:
    try:
        answer = json.loads(body)
        token = answer.get("token") or answer.get("access_token")
    except (ValueError, RecursionError, AttributeError):
        raise Failed("token: broken json") from None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Failed("token: none in the answer")
    return token


def _check_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Failed("no login is sent without https")

"""A login goes to the registry that it is for, and to the token server that this one names: to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attack import LOGIN, PASSWORD, SECRETS, Crowd, crowd, issuing
from servers.answers import good
from servers.faults import Base
from servers.tls import Authority
from servers.web import Request, Response, web

from crane_mirrors.live.causes import Failed
from crane_mirrors.live.tokens import Login, authorization

TOKEN = "t0ken-of-the-registry"


@dataclass
class Stage:
    """A registry that wants a login, a stranger, and who says what; `{registry}` and `{stranger}` stand for URLs."""

    servers: Crowd
    answers: dict[str, Callable[[Request], Response]]
    urls: dict[str, str] = field(default_factory=dict)
    asked: dict[str, list[Request]] = field(default_factory=lambda: {"registry": [], "stranger": []})

    def respond(self, who: str, request: Request) -> Response:
        self.asked[who].append(request)
        response = self.answers[who](request)
        headers = {}
        for name, text in response.headers.items():
            for other, url in self.urls.items():
                text = text.replace(f"{{{other}}}", url)
            headers[name] = text.replace("{path}", request.path)
        return Response(response.status, headers, response.body)

    def told_to_stranger(self) -> str:
        return " ".join(f"{request.path} {request.headers} {request.body!r}" for request in self.asked["stranger"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return issuing(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stage(authority: Authority, tmp_path: Path) -> Iterator[Stage]:
    certificate = authority.good("127.0.0.1", "localhost")
    found: list[Stage] = []

    def respond(who: str, request: Request) -> Response:
        return found[0].respond(who, request)

    with ExitStack() as stack:
        registry, stranger = (
            stack.enter_context(web(partial(respond, who), certificate=certificate)) for who in ("registry", "stranger")
        )
        base = Base(registry.listener.authority, "https")
        servers = stack.enter_context(crowd("image", tmp_path, authority, bases={"registry": base}))
        found.append(Stage(servers, {"registry": well, "stranger": well}))
        found[0].urls = {"registry": registry.url, "stranger": f"https://localhost:{stranger.listener.port}"}
        yield found[0]


def well(request: Request) -> Response:
    return good("image", request)


def move(where: str) -> Callable[[Request], Response]:
    return lambda _: Response(307, {"Location": where})


def bearer(where: str) -> Response:
    return Response(401, {"WWW-Authenticate": f'Bearer realm="{where}",service="s"'})


def token(_: Request) -> Response:
    return Response(200, {"Content-Type": "application/json"}, json.dumps({"token": TOKEN}).encode())


def wanting(
    realm: str, after: Callable[[Request], Response], at_realm: Callable[[Request], Response] = token
) -> Callable[[Request], Response]:
    """Be a registry that wants a token of a realm, and then does something; `/token` may be its own."""

    def respond(request: Request) -> Response:
        if request.path.startswith("/token"):
            return at_realm(request)
        return after(request) if "authorization" in request.headers else bearer(realm)

    return respond


def basic(after: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def respond(request: Request) -> Response:
        if request.headers.get("authorization") == f"Basic {LOGIN}":
            return after(request)
        return Response(401, {"WWW-Authenticate": 'Basic realm="r"'})

    return respond


@pytest.mark.parametrize(
    ("registry", "stranger", "verdict"),
    [
        (basic(well), well, "fresh"),
        (wanting("{registry}/token", well), well, "fresh"),
        (basic(move("{stranger}{path}")), well, "fresh"),
        (wanting("{registry}/token", move("{stranger}{path}")), well, "fresh"),
        (move("{stranger}{path}"), basic(well), "unreachable"),
        (move("{stranger}{path}"), wanting("{stranger}/token", well), "unreachable"),
        (basic(move("{stranger}{path}")), wanting("{stranger}/token", well), "unreachable"),
        (wanting("{registry}/token", well, move("{stranger}/token")), wanting("", well), "fresh"),
    ],
    ids=["Basic", "token", "Basic-then-moved", "token-then-moved", "moved-to-Basic", "moved-to-token",
         "Basic-then-moved-to-token", "token-server-moved"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["check", "pin"])
def test_a_stranger_learns_nothing(
    command: str,
    registry: Callable[[Request], Response],
    stranger: Callable[[Request], Response],
    verdict: str,
    stage: Stage,
) -> None:
    """Wherever a registry sends its clients, neither login nor token goes along."""
    stage.answers = {"registry": registry, "stranger": stranger}
    if command == "check":
        ran = stage.servers.run("check", "crowd", "--auth", "--output", "json")
        assert ran.rows["registry"]["verdict"] == verdict, ran.rows["registry"]
    else:
        ran = stage.servers.run("image", "crowd", "--pin", "--auth", "--output", "json")
        rows = json.loads(ran.out)["rows"]
        assert ("registry" in [row["mirror"] for row in rows]) == (verdict == "fresh")
    stage.servers.check(ran)
    told = stage.told_to_stranger()
    assert not any(secret in told for secret in (*SECRETS, TOKEN))
    assert TOKEN not in ran.out + ran.err


def test_an_identity_token_stays_with_its_server(stage: Stage) -> None:
    """It is sent in a body, which no redirect to another host takes along."""
    config = {"auths": {host: {"identitytoken": PASSWORD} for host in [stage.urls["registry"].partition("//")[2]]}}
    (stage.servers.folder / "home" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    stage.answers["registry"] = wanting("{registry}/token", well)
    ran = stage.servers.run("check", "crowd", "--auth", "--output", "json")
    assert ran.rows["registry"]["verdict"] == "fresh"
    assert any(PASSWORD.encode() in request.body for request in stage.asked["registry"])
    stage.answers["registry"] = wanting("{registry}/token", well, move("{stranger}/token"))
    ran = stage.servers.run("check", "crowd", "--auth", "--output", "json")
    stage.servers.check(ran)
    assert ran.rows["registry"]["cause"] == "redirect of a question to another host"
    assert stage.asked["stranger"] == []


def test_nobody_gets_a_login_without_auth(stage: Stage) -> None:
    """Without --auth no login leaves the file, not even to the registry that it is for."""
    stage.answers["registry"] = basic(well)
    ran = stage.servers.run("check", "crowd", "--output", "json")
    stage.servers.check(ran)
    assert ran.rows["registry"]["cause"] == "401, credentials needed"
    assert not any("authorization" in request.headers for request in stage.asked["registry"])


def test_logins_are_not_mixed_up(stage: Stage) -> None:
    """Each registry gets its own login; those that ask for none get none."""
    stage.answers["registry"] = basic(well)
    stage.servers.run("check", "crowd", "--auth", "--output", "json")
    sent = {request.headers.get("authorization") for request in stage.asked["registry"]}
    assert sent == {None, f"Basic {LOGIN}"}
    assert not any("authorization" in request.headers for request in stage.servers.asked)


@pytest.mark.parametrize(
    ("header", "url", "login"),
    [
        ('Basic realm="r"', "http://registry.example/v2/", Login("alice", PASSWORD)),
        ('Bearer realm="http://registry.example/token"', "http://registry.example/v2/", Login("alice", PASSWORD)),
        ('Bearer realm="http://registry.example/token"', "http://registry.example/v2/", Login("", PASSWORD)),
    ],
)
def test_no_login_without_tls(header: str, url: str, login: Login) -> None:
    """A registry on plain http gets no login, unless it is on this machine."""
    exchanger: Any = None  # which nobody gets to use
    with pytest.raises(Failed, match=r"^no login is sent without https$"):
        asyncio.run(authorization(exchanger, header, url, "x", 0, login))


def test_cookies_are_not_kept(stage: Stage) -> None:
    """A cookie would go to every port of its host, and to hosts of the same domain: nobody gets one back."""

    def setting(request: Request) -> Response:
        answer = well(request)
        return Response(answer.status, {**answer.headers, "Set-Cookie": f"session={PASSWORD}; Path=/"}, answer.body)

    stage.answers["registry"] = setting
    for command in ("probe", "check"):
        ran = stage.servers.run(command, "crowd", "--output", "json")
        stage.servers.check(ran)
    ran = stage.servers.run("image", "crowd", "--pin")
    assert ran.code == 0
    assert not any("cookie" in request.headers for request in (*stage.asked["registry"], *stage.servers.asked))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"socks5://alice:{PASSWORD}@127.0.0.1:1"),
        ("HTTPS_PROXY", f"http://alice:{PASSWORD}@[::1"),
        ("HTTPS_PROXY", f"http://alice:{PASSWORD}@127.0.0.1:99999"),
        ("HTTPS_PROXY", f"ftp://alice:{PASSWORD}@127.0.0.1:1"),
        ("HTTPS_PROXY", f"alice:{PASSWORD}@127.0.0.1:1"),
        ("HTTPS_PROXY", f"http://alice:{PASSWORD}@127.0.0.1:1/\x1b[2J"),
        ("SSL_CERT_FILE", "/nonexistent/ca.pem"),
        ("SSL_CERT_FILE", "/dev/null"),
        ("SSL_CERT_FILE", __file__),
        ("SSL_CERT_DIR", "/nonexistent"),
    ],
)
def test_environment_that_makes_no_sense(name: str, value: str, stage: Stage) -> None:
    """A proxy that is none, and certificates that are none: an error of the network, and no password in it."""
    environment = {name: value} | ({"SSL_CERT_FILE": ""} if name == "SSL_CERT_DIR" else {})
    for arguments in (["probe"], ["check"], ["image", "--fastest"], ["image", "--pin"]):
        ran = stage.servers.run(*arguments, "crowd", more=environment)
        stage.servers.check(ran)
        assert ran.code == 4, (arguments, ran)
        assert ran.err.count("\n") == 1

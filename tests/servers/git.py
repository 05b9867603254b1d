"""Git over smart HTTP by git-http-backend, and small repositories, the same bytes each time, to serve with it.

    make_repository(tmp_path / "gocrane" / "crane.git", commits=3)
    make_repository(tmp_path / "stale" / "crane.git", commits=2)                    # behind: less of the same history
    make_repository(tmp_path / "forked" / "crane.git", commits=3, last="tampered")    # diverged: another third commit
    add_refs(tmp_path / "gocrane" / "crane.git", 100_000)
    with git_server(tmp_path) as server:
        run("git", "ls-remote", f"{server.url}/gocrane/crane.git")
        assert server.requests[0].headers["git-protocol"] == "version=2"

    git_server(folder, version2=False)      a server that knows protocol v0 only
    git_server(folder, smart=False)         dumb HTTP: the repositories' files, as any web server gives them

Commit number N has the annotated tag `v0.N.0`, and the branch `main` stands at the last; `dev`, at the first.
"""

from __future__ import annotations

import http.client
import io
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from conftest import need

from servers.process import output_of
from servers.web import Request, Responder, Response, Web, files, web

RAW_PATH = "integration/grafana/override_values.yaml"

_PERSON = "Test <test@example.test>"
_ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": "/nonexistent"}


def raw_text(commit: int) -> bytes:
    """Give what the file RAW_PATH holds after so many commits."""
    return f"grafana:\n  replicas: {commit}\n".encode()


def make_repository(path: Path, *, commits: int = 3, last: str = "") -> Path:
    """Make a bare repository; text in `last` makes the last commit another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    git("init", "-q", "--bare", "--initial-branch=main", path)
    parts: list[str] = []
    for number in range(1, commits + 1):
        when = f"{_PERSON} {1_700_000_000 + number * 3600} +0000"
        message = f"Commit {number} {last if number == commits else ''}".strip()
        text = raw_text(number).decode()
        parts += [f"commit refs/heads/main\nmark :{number}\ncommitter {when}\n{_data(message)}"]
        parts += [f"from :{number - 1}\n" if number > 1 else "", f"M 100644 inline {RAW_PATH}\n{_data(text)}"]
        parts += [f"tag v0.{number}.0\nfrom :{number}\ntagger {when}\n{_data(f'Release 0.{number}.0')}"]
    parts += ["reset refs/heads/dev\nfrom :1\n\n"]
    git("-C", path, "fast-import", "--quiet", stdin="".join(parts))
    git("-C", path, "update-server-info")
    return path


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def add_refs(path: Path, count: int) -> None:
    """Give a repository many more branches, `refs/heads/many/0` and so on, all at its first commit."""
    lines = git("-C", path, "for-each-ref", "--format=%(refname) %(objectname) %(*objectname)").splitlines()
    refs = {name: rest for name, _, rest in (line.partition(" ") for line in lines)}
    first = refs["refs/heads/dev"]
    refs |= {f"refs/heads/many/{number}": first for number in range(count)}
    with (path / "packed-refs").open("w", encoding="ascii") as file:
        file.write("# pack-refs with: peeled fully-peeled sorted \n")
        for name in sorted(refs):
            number, _, peeled = refs[name].strip().partition(" ")
            file.write(f"{number} {name}\n" + (f"^{peeled}\n" if peeled else ""))


def git(*arguments: str | Path, stdin: str = "") -> str:
    """Run git, without anybody's settings, and give what it prints."""
    return output_of(need("git"), *arguments, environment={**os.environ, **_ENVIRONMENT}, stdin=stdin).strip()


@contextmanager
def git_server(root: Path, *, version2: bool = True, smart: bool = True) -> Iterator[Web]:
    """Serve all repositories below a folder."""
    with web(smart_http(root, version2=version2) if smart else files(root)) as server:
        yield server


def smart_http(root: Path, *, version2: bool = True) -> Responder:
    """Answer with git-http-backend, as CGI (RFC 3875)."""

    def respond(request: Request) -> Response:
        process = subprocess.run(
            [_backend()], input=request.body, env=_cgi(root, request, version2), capture_output=True, check=False
        )
        head, _, body = process.stdout.partition(b"\r\n\r\n")
        headers = dict(http.client.parse_headers(io.BytesIO(head + b"\r\n\r\n")).items())
        code = int(headers.pop("Status", "200").split()[0])
        return Response(code if process.stdout else 500, headers, body)

    return respond


def _cgi(root: Path, request: Request, version2: bool) -> Mapping[str, str]:
    path, _, query = request.path.partition("?")
    variables = {
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(path),
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    if version2:
        variables["GIT_PROTOCOL"] = request.headers.get("git-protocol", "")
    return {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT, **variables}


@cache
def _backend() -> str:
    return str(Path(git("--exec-path")) / "git-http-backend")

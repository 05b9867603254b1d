"""A forge: Git repositories, and as much of Gitea's API as Renovate asks for until it has proposed a change.

    put(root / "o" / "app.git", {"Dockerfile": "FROM nginx:1.27\n"})
    with public_names(folder, {"forge.example": forge(root, "https://forge.example")}) as names: ...

Whoever can reach it may read and write. A proposal is accepted and forgotten; its branch is in the repository.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servers.git import git, smart_http
from servers.web import Request, Responder, Response

_API = "/api/v1/"
_USER = {"id": 1, "login": "bot", "username": "bot", "full_name": "Bot", "email": "bot@example.test"}


def put(path: Path, files: Mapping[str, str]) -> None:
    """Make a bare repository with these files on its branch `main`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    git("init", "-q", "--bare", "--initial-branch=main", path)
    git("-C", path, "config", "http.receivepack", "true")
    blobs = [f"M 100644 inline {name}\ndata {len(text.encode())}\n{text}\n" for name, text in files.items()]
    head = "commit refs/heads/main\ncommitter Test <test@example.test> 1700000000 +0000\ndata 5\nFiles\n"
    git("-C", path, "fast-import", "--quiet", stdin=head + "".join(blobs))


def forge(root: Path, url: str) -> Responder:
    """Serve the repositories below a folder, each as OWNER/NAME.git, under this URL."""
    repositories = smart_http(root)

    def respond(request: Request) -> Response:
        if not request.path.startswith(_API):
            return repositories(request)
        path = request.path.partition("?")[0].removeprefix(_API)
        kind, _, rest = path.partition("/")
        if kind != "repos":
            return _json({"user": _USER, "version": {"version": "1.22.0"}}.get(path, []))
        (owner, name, *more) = rest.split("/", 3)
        repository = {
            "id": 1, "full_name": f"{owner}/{name}", "owner": {**_USER, "login": owner, "username": owner},
            "clone_url": f"{url}/{owner}/{name}.git", "default_branch": "main", "empty": False, "allow_rebase": True,
            "permissions": {"admin": True, "pull": True, "push": True},
        }  # fmt: skip
        match more:
            case []:
                return _json(repository)
            case ["contents", file]:
                content = base64.b64encode(git("-C", root / owner / f"{name}.git", "show", f"main:{file}").encode())
                return _json({"type": "file", "name": file, "path": file, "content": content.decode()})
            case ["pulls"] if request.method == "POST":
                wanted = json.loads(request.body)
                head = {"label": wanted["head"], "sha": "0" * 40, "repo": repository}
                return _json({**wanted, "number": 1, "state": "open", "head": head, "base": {"ref": "main"}}, 201)
        return _json([])

    return respond


def _json(content: Any, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(content).encode())

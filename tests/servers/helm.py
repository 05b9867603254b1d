"""Helm repositories: a small one that the real helm makes, and index files of any size that only look like it.

    make_charts(tmp_path, {"craned": ["0.9.0", "0.10.0"]})          # takes `helm`
    with helm_server(tmp_path) as server:
        run("helm", "pull", "craned", "--repo", server.url, "--version", "0.9.0")

    index_text({"craned": ["0.9.0", "0.10.0"]}, salt="v1")          # takes nothing; another salt, other digests
    index_text({"craned": versions(30_000)}, form="json")           # JSON is YAML, and some servers send that

`versions(30_000)` gives about 14 MB of YAML.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from conftest import need

from servers.process import output_of
from servers.tls import Certificate
from servers.web import Web, files, web


def versions(count: int) -> list[str]:
    """Give so many versions from 1.0.0 on, all different."""
    return [f"{number // 10_000 + 1}.{number // 100 % 100}.{number % 100}" for number in range(count)]


def make_charts(folder: Path, charts: Mapping[str, Sequence[str]], *, url: str = "") -> Path:
    """Package charts in versions with helm, and index them; with a URL the index names each chart under that."""
    source = folder / ".source"
    for name, numbers in charts.items():
        (source / name / "templates").mkdir(parents=True, exist_ok=True)
        (source / name / "templates" / "map.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\n", encoding="utf-8"
        )
        for number in numbers:
            chart = f"apiVersion: v2\nname: {name}\nversion: {number}\ndescription: For tests\ntype: application\n"
            (source / name / "Chart.yaml").write_text(chart, encoding="utf-8")
            helm(folder, "package", str(source / name), "--destination", str(folder))
    helm(folder, "repo", "index", str(folder), *(("--url", url) if url else ()))
    return folder


def helm(home: Path, *arguments: str) -> str:
    """Run helm, with its settings and caches in a folder of the test, and give what it prints."""
    folders = {f"HELM_{kind}_HOME": str(home / f".helm-{kind.lower()}") for kind in ("CACHE", "CONFIG", "DATA")}
    return output_of(need("helm"), *arguments, folder=home, environment={**os.environ, **folders}).strip()


@contextmanager
def helm_server(folder: Path, *, certificate: Certificate | None = None) -> Iterator[Web]:
    """Serve a folder with an index and its charts."""
    with web(files(folder, "application/gzip"), certificate=certificate) as server:
        yield server


def index_text(
    charts: Mapping[str, Sequence[str]],
    *,
    salt: str = "",
    form: str = "yaml",
    url: str = "",
    created: str = "2023-05-17T08:09:10.123456789Z",
) -> bytes:
    """Write an index as helm would, in YAML or as one line of JSON; the salt changes every digest."""
    if form == "json":
        entries = {
            name: [
                {"apiVersion": "v2", "created": created, "digest": _digest(name, number, salt), "name": name,
                 "type": "application", "urls": [f"{url}{name}-{number}.tgz"], "version": number}
                for number in numbers
            ]
            for name, numbers in charts.items()
        }  # fmt: skip
        return json.dumps({"apiVersion": "v1", "entries": entries, "generated": created}).encode()
    lines = ["apiVersion: v1", "entries:"]
    for name, numbers in charts.items():
        lines.append(f"  {name}:")
        for number in numbers:
            lines += ["  - apiVersion: v2", f'    created: "{created}"', "    description: A chart for tests, and its"]
            lines += ["      words go on in a second line", f"    digest: {_digest(name, number, salt)}"]
            lines += ["    keywords:", "    - mirror", "    - test", "    maintainers:", "    - email: a@example.test"]
            lines += ["      name: Somebody", f"    name: {name}", "    sources:", "    - https://example.test/source"]
            lines += ["    type: application", "    urls:", f"    - {url}{name}-{number}.tgz", f"    version: {number}"]
    return "\n".join([*lines, f'generated: "{created}"', ""]).encode()


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()

"""What the servers of a measurement have: certificates, images, Git repositories, Helm indexes and files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import ssl
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from _link import need

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

_PERSON = "Bench <bench@example.org> 1700000000 +0000"


@dataclass
class Table:
    """What `_servers.py` reads: files, with headers, and repositories by host and path; which hosts want tokens."""

    certificate: str
    key: str
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    repositories: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


class World:
    """Collects what the servers have, in a folder."""

    def __init__(self, folder: Path, hosts: tuple[str, ...]) -> None:
        self.folder = folder
        self.table = Table(str(folder / "server.pem"), str(folder / "server.key"))
        self.trusted = str(_certificates(folder, hosts))

    @property
    def environment(self) -> dict[str, str]:
        """What clients need to trust the certificates, each by a variable of its own."""
        return dict.fromkeys(("SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"), self.trusted)

    def write(self) -> str:
        """Write the table for the server; give its path."""
        path = self.folder / "table.json"
        path.write_text(json.dumps(asdict(self.table)))
        return str(path)

    def add(self, place: str, content: bytes, media_type: str, **headers: str) -> None:
        """Put a file at a host and path."""
        path = self.folder / hashlib.sha256(content).hexdigest()
        path.write_bytes(content)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.table.files[place] = {"file": str(path), "Content-Type": media_type, **more}

    def add_image(self, name: str, reference: str, layers: int, size: int) -> None:
        """Put an image for two platforms into a registry, with so many layers of ``size`` bytes each."""
        host, _, rest = reference.partition("/")
        path, _, tag = rest.rpartition(":")
        base = f"{'registry-1.docker.io' if host == 'docker.io' else host}/v2/{path}"

        def put(where: str, content: bytes, media_type: str) -> dict[str, object]:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            for end in (digest, *([tag] if media_type == INDEX else [])):
                self.add(f"{base}/{where}/{end}", content, media_type, Docker_Content_Digest=digest)
            return {"mediaType": media_type, "digest": digest, "size": len(content)}

        listed = []
        for machine in ("amd64", "arm64"):
            platform = {"os": "linux", "architecture": machine}
            archives = [_archive(f"{name} {machine} {number}", size) for number in range(layers)]
            ids = [f"sha256:{hashlib.sha256(archive).hexdigest()}" for archive in archives]
            config = {**platform, "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": put("blobs", _json(config), _CONFIG),
                "layers": [put("blobs", gzip.compress(archive, 1, mtime=0), _LAYER) for archive in archives],
            }
            listed.append(put("manifests", _json(manifest), MANIFEST) | {"platform": platform})
        put("manifests", _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}), INDEX)

    def add_repository(self, name: str, url: str) -> None:
        """Put a Git repository at an address, with and without `.git`."""
        folder = self.folder / "git" / name
        if not folder.exists():
            git = need("git")
            subprocess.run([git, "init", "-q", "--bare", "--initial-branch=main", str(folder)], check=True)
            subprocess.run([git, "-C", str(folder), "fast-import", "--quiet"], input=_HISTORY, check=True)
        place = urlsplit(url).netloc + urlsplit(url).path.removesuffix(".git")
        self.table.repositories |= dict.fromkeys((place, f"{place}.git"), str(folder))

    def add_index(self, name: str, url: str, versions: int) -> None:
        """Put a Helm repository's index at an address."""
        self.add(f"{urlsplit(url).netloc}{urlsplit(url).path}/index.yaml", _index(name, versions), "text/yaml")


def _history() -> bytes:
    parts = []
    for number in range(1, 31):
        parts.append(f"commit refs/heads/main\nmark :{number}\ncommitter {_PERSON}\ndata 2\nc\n")
        parts.append(f"from :{number - 1}\n" if number > 1 else "")
        parts.append(f"tag v0.{number}.0\nfrom :{number}\ntagger {_PERSON}\ndata 2\nt\n")
        parts.append(f"reset refs/heads/topic-{number}\nfrom :{number}\n")
    return "".join(parts).encode()


_HISTORY = _history()


def _index(name: str, versions: int) -> bytes:
    lines = ["apiVersion: v1", "entries:", f"  {name}:"]
    for number in range(versions):
        lines += [f"  - name: {name}", "    apiVersion: v2", '    created: "2023-05-17T08:09:10.123456789Z"']
        lines += [
            f"    digest: {hashlib.sha256(f'{name} {number}'.encode()).hexdigest()}",
            f"    version: 0.{number}.0",
        ]
        lines += ["    description: A chart", "    urls:", f"    - {name}-0.{number}.0.tgz"]
    return "\n".join([*lines, 'generated: "2023-05-17T08:09:10.123456789Z"', ""]).encode()


def _archive(seed: str, size: int) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(seed.replace(" ", "-"))
        entry.size = size
        tar.addfile(entry, io.BytesIO(random.Random(seed).randbytes(size)))
    return archive.getvalue()


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode()


def _certificates(folder: Path, hosts: tuple[str, ...]) -> Path:
    """Make an authority and a certificate for all hosts; give the file of what clients trust, as long as usual."""
    openssl = need("openssl")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run("req", "-x509", *key, "-days", "2", "-subj", "/CN=bench authority", "-keyout", "ca.key", "-out", "ca.pem")
    run("req", *key, "-subj", "/CN=bench", "-keyout", "server.key", "-out", "server.csr")
    names = ",".join(f"DNS:{host}" for host in hosts)
    (folder / "names").write_text(f"subjectAltName={names}\n")
    signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    run("x509", "-req", "-in", "server.csr", *signer, "-out", "server.pem")
    usual = ssl.get_default_verify_paths().cafile
    others = Path(usual).read_bytes() if usual and Path(usual).is_file() else b""
    path = folder / "trusted.pem"
    path.write_bytes(others + (folder / "ca.pem").read_bytes())
    return path

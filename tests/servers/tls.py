"""A certificate authority for one test, and certificates that are good, expired, for another host, or by a stranger.

    authority = make_authority(tmp_path)
    good = authority.good("ghcr.io", "127.0.0.1")
    with registry(tmp_path / "registry", certificate=good):
        run(..., environment={"SSL_CERT_FILE": str(authority.file)})

All is made with the `openssl` command. Names may be host names or IPv4 addresses.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from conftest import need

from servers.process import output_of

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

_CONFIG = """\
[ca]
default_ca = test
[test]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = optional
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, and the file of the authority that clients trust."""

    file: Path
    key: Path
    trusted: Path

    def server_context(self) -> ssl.SSLContext:
        """Give the context of a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Give the context of a client that trusts the authority."""
        return ssl.create_default_context(cafile=str(self.trusted))


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a folder of its own; `file` is for SSL_CERT_FILE."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def good(self, *names: str) -> Certificate:
        """Issue a certificate with which nothing is wrong."""
        return self._issue(names, "20200101000000Z", "20491231235959Z")

    def expired(self, *names: str) -> Certificate:
        """Issue a certificate that was good until 2021."""
        return self._issue(names, "20200101000000Z", "20210101000000Z")

    def wrong_host(self) -> Certificate:
        """Issue a good certificate for a host that no test asks."""
        return self.good("elsewhere.test")

    def untrusted(self, *names: str) -> Certificate:
        """Let another authority issue the certificate, which clients do not know."""
        other = make_authority(self.folder / "stranger").good(*names)
        return Certificate(other.file, other.key, self.file)

    def _issue(self, names: tuple[str, ...], start: str, stop: str) -> Certificate:
        number = len(list(self.folder.glob("*.csr")))
        key, request, extensions, file = (self.folder / f"{number}.{end}" for end in ("key", "csr", "ext", "pem"))
        run = partial(_openssl, self.folder)
        run("req", "-new", *_KEY, "-subj", f"/CN={names[0][:64]}", "-keyout", key, "-out", request)
        alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
        extensions.write_text(
            f"subjectAltName={alternatives}\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n"
            "keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth\n",
            encoding="ascii",
        )
        dates = ("-startdate", start, "-enddate", stop)
        run("ca", "-batch", "-notext", "-create_serial", "-config", "ca.cnf", *dates,
            "-extfile", extensions, "-in", request, "-out", file)  # fmt: skip
        return Certificate(file, key, self.file)


def make_authority(folder: Path) -> Authority:
    """Make a certificate authority whose files lie in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.cnf").write_text(_CONFIG, encoding="ascii")
    (folder / "index.txt").touch()
    _openssl(folder, "req", "-x509", *_KEY, "-days", "30", "-subj", f"/CN=authority {folder.name}",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    return Authority(folder)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _openssl(folder: Path, *arguments: str | Path) -> None:
    output_of(need("openssl"), *arguments, folder=folder)

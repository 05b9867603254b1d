r"""Image references: what they look like, their one spelling, and the short one that Docker prints.

The grammar that the OCI distribution specification and Docker share (ISO 14977; ``?…?`` is prose)::

    reference   = repository , [ ":" , tag ] , [ "@" , digest ] ;
    repository  = [ registry , "/" ] , path ;
    registry    = host , [ ":" , port ] ;
    host        = domain | "[" , ipv6 , "]" ;
    domain      = label , { "." , label } ;
    label       = ? letters and digits, joined by hyphens ? ;
    ipv6        = ? RFC 4291, section 2.2, forms 1 and 2: no zone, no dotted quad ? ;
    port        = ? a number from 1 to 65535 ? ;
    path        = component , { "/" , component } ;                  (at most 255 characters)
    component   = word , { separator , word } ;
    word        = ? lower-case letters and digits ? ;
    separator   = "." | "_" | "__" | "-" , { "-" } ;
    tag         = ? a letter, digit or "_", then up to 127 of these, "." and "-" ? ;
    digest      = algorithm , ":" , hex ;
    algorithm   = ? words that begin with a letter, joined by "+", ".", "_" or "-" ? ;
    hex         = ? 32 hexadecimal digits or more; for the SHA-2 family exactly its length, lower case ? ;

The first component is a registry only if it is ``localhost`` or has a ``.``, a ``:`` or an upper-case letter;
without a registry, the repository is on Docker Hub.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from crane_mirrors.errors import InvalidReference

__all__ = ["DOCKER_HUB", "Reference", "Repository", "check_digest", "check_tag"]

# ASCII is spelled out, because `\w`, `\d` and IGNORECASE would let in other scripts. Domain and path are the
# grammar's, flattened: nested (labels in a domain, components in a path) they take twice as long to compile.
_WORD = r"[a-z0-9]+"
_DOMAIN = rf"{_WORD}(?:(?:\.|-+){_WORD})*"
_SEPARATOR = r"[._]|__|-+"
_PATH = rf"{_WORD}(?:(?:{_SEPARATOR}|/){_WORD})*"
_COMPONENT = rf"{_WORD}(?:(?:{_SEPARATOR}){_WORD})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_ALGORITHM = r"[a-z][a-z0-9]*(?:[+._-][a-z][a-z0-9]*)*"
_DIGEST = rf"{_ALGORITHM}:[0-9A-Fa-f]{{32,}}"

DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
"""The names of Docker Hub's registry; the first is the one spelling of it."""
_LONGEST_PATH = 255
_HEX_DIGITS = "0123456789abcdef"
_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

_compiled = functools.cache(re.compile)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, fully qualified; raises InvalidReference for any other spelling (`parse` takes all)."""

    registry: str
    path: str

    def __post_init__(self) -> None:
        canonical = _canonical_registry(self.registry)
        if canonical != self.registry:
            raise _invalid("registry", self.registry, f"write {canonical[:100]!r}")
        if len(self.path) > _LONGEST_PATH or not _compiled(_PATH).fullmatch(self.path):
            raise _invalid("repository path", self.path, _fault_of_path(self.path))
        if canonical == DOCKER_HUB[0] and "/" not in self.path:
            raise _invalid("repository path", self.path, f"on docker.io write 'library/{self.path}'")

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Read any spelling that Docker accepts (its normalisation); raises InvalidReference.

        >>> str(Repository.parse("GHCR.io:443/gocrane/crane/craned"))
        'ghcr.io/gocrane/crane/craned'
        """
        _refuse_what_is_no_reference(text)
        return cls(*_split(text))

    @property
    def familiar(self) -> str:
        """The shortest spelling that means the same, as Docker prints it.

        >>> Repository("docker.io", "library/nginx").familiar
        'nginx'
        """
        head, _, rest = self.path.partition("/")
        if self.registry != DOCKER_HUB[0] or _names_registry(head):
            return str(self)
        official = head == "library" and "/" not in rest and not _is_image_id(rest)
        return rest if official else self.path

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository with a tag, a digest, both or neither; raises InvalidReference for an invalid one."""

    repository: Repository
    tag: str | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        if self.tag is not None:
            check_tag(self.tag)
        if self.digest is not None:
            check_digest(self.digest)

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `[REGISTRY/]PATH[:TAG][@DIGEST]` in any spelling that Docker accepts; raises InvalidReference.

        >>> Reference.parse("nginx:1.27")
        Reference(repository=Repository(registry='docker.io', path='library/nginx'), tag='1.27', digest=None)
        """
        _refuse_what_is_no_reference(text)
        named, at, digest = text.partition("@")
        # A colon before the last slash belongs to the registry's port or address.
        slash = named.rfind("/") + 1
        last, colon, tag = named[slash:].partition(":")
        repository = Repository(*_split(named[:slash] + last))
        return cls(repository, tag if colon else None, digest if at else None)

    def with_repository(self, repository: Repository) -> Reference:
        """Return the same tag and digest in another repository.

        >>> str(Reference.parse("nginx:1.27").with_repository(Repository("ghcr.io", "mirror/nginx")))
        'ghcr.io/mirror/nginx:1.27'
        """
        return Reference(repository, self.tag, self.digest)

    @property
    def familiar(self) -> str:
        """The shortest spelling that means the same, as Docker prints it.

        >>> Reference.parse("docker.io/gocrane/craned:main").familiar
        'gocrane/craned:main'
        """
        return self.repository.familiar + str(self).removeprefix(str(self.repository))

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.repository}{tag}{digest}"


def check_tag(text: str) -> str:
    """Return a valid tag (OCI distribution specification, "Pulling manifests"); raises InvalidReference.

    >>> check_tag("main-abc1234")
    'main-abc1234'
    """
    if not _compiled(_TAG).fullmatch(text):
        rule = "letters, digits, '_', '.', '-', at most 128 characters, not beginning with '.' or '-'"
        raise _invalid("tag", text, rule)
    return text


def check_digest(text: str) -> str:
    """Return a valid digest (OCI image specification, "Digests"); raises InvalidReference.

    >>> check_digest("sha256:" + 64 * "0")[:12]
    'sha256:00000'
    """
    algorithm, _, encoded = text.partition(":")
    length = _HEX_LENGTHS.get(algorithm)
    if length is None:
        if not _compiled(_DIGEST).fullmatch(text):
            raise _invalid("digest", text, "not ALGORITHM:HEX, such as 'sha256:' and 64 lower-case digits")
    elif len(encoded) != length or encoded.strip(_HEX_DIGITS):
        raise _invalid("digest", text, f"'{algorithm}:' takes {length} lower-case hexadecimal digits")
    return text


def _refuse_what_is_no_reference(text: str) -> None:
    scheme, separator, _ = text.partition("://")
    if separator:
        # What follows may hold a password, so it is not repeated.
        raise _invalid("reference", scheme + separator, "it begins with a URL's scheme; leave that out")
    if text != text.strip():
        raise _invalid("reference", text, "white space before or after it")
    if _is_image_id(text):
        raise _invalid("reference", text, "64 hexadecimal digits are an image ID, not a name")


def _is_image_id(text: str) -> bool:
    return len(text) == 64 and not text.strip(_HEX_DIGITS)


def _names_registry(head: str) -> bool:
    return "." in head or ":" in head or head == "localhost" or head != head.lower()


def _split(name: str) -> tuple[str, str]:
    """Docker's normalisation: the registry in its one spelling, and the path."""
    head, slash, rest = name.partition("/")
    named = slash and _names_registry(head)
    registry, path = (_canonical_registry(head), rest) if named else (DOCKER_HUB[0], name)
    if registry == DOCKER_HUB[0] and path and "/" not in path:
        path = f"library/{path}"
    return registry, path


# Cached because a value checks its registry again when it is made, and a run meets few registries.
@functools.lru_cache(maxsize=64)
def _canonical_registry(text: str) -> str:
    bracket = text.rfind("]") + 1
    name, colon, port = text[bracket:].partition(":")
    host, port = (text[:bracket] + name).lower(), port.lstrip("0")
    valid = _is_ipv6(host) if bracket else _compiled(_DOMAIN).fullmatch(host)
    # Only now, because lower() turns the Kelvin sign into a k.
    if not valid or not text.isascii():
        case = "" if "." in text or ":" in text else "repository names are lower case; a registry is "
        raise _invalid("registry", text, f"{case}HOST[:PORT], with a domain name, IPv4 or [IPv6] as HOST")
    if colon and not (port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise _invalid("registry", text, "a port is a number from 1 to 65535")
    if not _names_registry(host):
        # Without its port, `foo:443/bar` would be read as Docker Hub's foo/bar.
        return f"{host}:{port or 443}"
    if port and port != "443":
        return f"{host}:{port}"
    return DOCKER_HUB[0] if host in DOCKER_HUB else host


def _is_ipv6(host: str) -> bool:
    left, gap, right = host[1:-1].partition("::")
    groups = [group for half in (left, right) if half for group in half.split(":")]
    hexadecimal = all(0 < len(group) <= 4 and not group.strip(_HEX_DIGITS) for group in groups)
    return host[0] == "[" and hexadecimal and (len(groups) < 8 if gap else len(groups) == 8)


def _fault_of_path(path: str) -> str:
    if len(path) > _LONGEST_PATH:
        return f"{len(path)} characters, at most {_LONGEST_PATH}"
    whole = _compiled(_COMPONENT).fullmatch
    wrong = next(component for component in path.split("/") if not whole(component))
    if not wrong:
        return "an empty name; a reference is [REGISTRY/]PATH[:TAG][@DIGEST], a path is NAME[/NAME]…"
    if wrong.isascii() and whole(wrong.lower()):
        return f"repository names are lower case, such as {wrong.lower()!r}"
    return f"{wrong!r} is not lower-case letters and digits, joined by '.', '_', '__' or hyphens"


def _invalid(what: str, text: str, rule: str) -> InvalidReference:
    shown = text if len(text) <= 100 else f"{text[:97]}…"
    return InvalidReference(f"invalid {what} {shown!r}: {rule}")

"""The commands that each container client takes to pull an image, platform included, and to give it another name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from crane_mirrors.errors import InvalidInput
from crane_mirrors.reference import Reference

if TYPE_CHECKING:
    from crane_mirrors.platforms import Platform

__all__ = ["CLIENTS", "STORES", "Client", "name_for", "pull_command", "tag_command"]

Client = Literal["docker", "podman", "nerdctl", "ctr", "crictl", "skopeo", "crane"]

CLIENTS: tuple[Client, ...] = get_args(Client)

STORES: tuple[Client, ...] = CLIENTS[:5]
"""Those that keep what they pull in a store of their own, in the order in which they are looked for."""


def pull_command(client: Client, reference: Reference, platform: Platform | None = None) -> tuple[str, ...]:
    """Give the words of a client's own command. Raises InvalidInput when the client cannot choose a platform.

    Docker gets the familiar form, everyone else the fully qualified one. skopeo and crane have no store of their own:
    they write an archive that ``docker load`` and ``podman load`` read.

    >>> " ".join(pull_command("docker", Reference.parse("gocrane/craned:main")))
    'docker pull gocrane/craned:main'
    >>> " ".join(pull_command("crane", Reference.parse("gocrane/craned:main")))
    'crane pull docker.io/gocrane/craned:main craned-main.tar'
    """
    flag = ("--platform", str(platform)) if platform else ()
    match client:
        case "docker":
            return ("docker", "pull", *flag, reference.familiar)
        case "podman" | "nerdctl":
            return (client, "pull", *flag, str(reference))
        case "ctr":
            return ("ctr", "images", "pull", *flag, str(reference))
        case "crictl":
            if platform:
                raise InvalidInput(
                    "crictl pulls for its node's own platform and cannot be told another: leave out --platform, "
                    "or use ctr or nerdctl"
                )
            return ("crictl", "pull", str(reference))
        case "crane":
            return ("crane", "pull", *flag, str(reference), _archive(reference))
        case "skopeo":
            return _skopeo(reference, platform)


def name_for(client: Client, origin: Reference) -> Reference | None:
    """Give the name that a client can put on an image from elsewhere, so that the origin's finds it; None for none.

    Only ctr takes a digest for a name, and crictl takes no names at all.

    >>> str(name_for("podman", Reference.parse(f"gocrane/craned:main@sha256:{64 * '0'}")))
    'docker.io/gocrane/craned:main'
    >>> name_for("podman", Reference.parse(f"gocrane/craned@sha256:{64 * '0'}")) is None
    True
    """
    if client == "crictl":
        return None
    if origin.tag is None:
        return origin if client == "ctr" else None
    return Reference(origin.repository, origin.tag)


def tag_command(client: Client, source: Reference, name: Reference) -> tuple[str, ...]:
    """Give the words that put another name, see ``name_for``, on what was pulled as ``source``.

    All of them take the full name. A ``docker`` that is podman makes ``localhost/gocrane/craned`` of the short one.

    >>> there, here = Reference.parse("ghcr.io/x/craned:main"), Reference.parse("gocrane/craned:main")
    >>> " ".join(tag_command("docker", there, here))
    'docker tag ghcr.io/x/craned:main docker.io/gocrane/craned:main'
    """
    if client in ("docker", "podman") and source.digest:
        # Pulled by digest, it has no tag there, even if one was given.
        source = Reference(source.repository, None, source.digest)
    words = ("images", "tag", "--force") if client == "ctr" else ("tag",)
    return (client, *words, str(source), str(name))


def _skopeo(reference: Reference, platform: Platform | None) -> tuple[str, ...]:
    override: list[str] = []
    if platform:
        override += ["--override-os", platform.os, "--override-arch", platform.machine]
        override += ["--override-variant", platform.variant] if platform.variant else []
    # containers/image refuses a tag beside a digest, and an archive can be named by a tag only.
    source = reference if not reference.digest else Reference(reference.repository, None, reference.digest)
    name = f":{reference.repository}:{reference.tag}" if reference.tag else ""
    return ("skopeo", *override, "copy", f"docker://{source}", f"docker-archive:{_archive(reference)}{name}")


def _archive(reference: Reference) -> str:
    version = reference.tag or (reference.digest or "").partition(":")[2][:12]
    return f"{reference.repository.path.rpartition('/')[2]}-{version}.tar"

"""The command that each container client takes to pull an image, platform included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from crane_mirrors.errors import InvalidInput
from crane_mirrors.reference import Reference

if TYPE_CHECKING:
    from crane_mirrors.platforms import Platform

__all__ = ["CLIENTS", "Client", "pull_command"]

Client = Literal["docker", "podman", "nerdctl", "ctr", "crictl", "skopeo", "crane"]

CLIENTS: tuple[Client, ...] = get_args(Client)


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

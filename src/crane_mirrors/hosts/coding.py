"""Coding: Git repositories, raw files, images and Helm repositories of a team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.errors import NoRoute
from crane_mirrors.hosts._base import Found, HostKind, file_in, server_of
from crane_mirrors.model import shown
from crane_mirrors.url import encode

if TYPE_CHECKING:
    from crane_mirrors.files import FilePath, Ref
    from crane_mirrors.url import URL

__all__ = ["KIND"]


class Coding(HostKind):
    """https://coding.net: clones at ``e.coding.net/TEAM/PROJECT/REPO.git``, pages and raw files on the team's host."""

    domains = ("*.coding.net",)
    token_scheme = "token"  # the word of its open API
    raw_note = "Coding may ask for a token before it serves raw files"

    def raw_url(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``TEAM.coding.net/p/PROJECT/d/REPO/git/raw/REF/PATH?download=false``.

        Raises NoRoute for a ref with a slash, which would end there.
        """
        if "/" in str(ref):
            raise NoRoute(
                f"Coding cannot express the ref {shown(str(ref))}: a slash would end the ref in its raw-file URLs; "
                "use a tag, a commit, or another mirror"
            )
        team, project, repo = _parts(clone)
        return f"https://{team}.coding.net/p/{project}/d/{repo}/git/raw/{encode(str(ref))}/{encode(str(path))}?download=false"

    def file_page(self, clone: URL, ref: Ref, path: FilePath) -> str | None:
        """Build ``TEAM.coding.net/public/PROJECT/REPO/git/files/REF/PATH``."""
        team, project, repo = _parts(clone)
        return f"https://{team}.coding.net/public/{project}/{repo}/git/files/{encode(str(ref))}/{encode(str(path))}"

    def find(self, url: URL) -> Found | None:
        """Read clone URLs, the pages of public repositories, and raw and page URLs of files."""
        team, dot, domain = server_of(url).partition(".")
        if dot + domain != ".coding.net" or team == "e":
            # Clone URLs, or a company's own Coding, of whose files nothing is known.
            return super().find(url)
        match url.segments:
            case ("p", project, "d", repo, "git", "raw", ref, *path):
                return file_in(f"e.coding.net/{team}/{project}/{repo}", ref, path)
            case ("public", project, repo, "git", "files", ref, *path) if path:
                return file_in(f"e.coding.net/{team}/{project}/{repo}", ref, path, page=True)
            case ("public", project, repo, "git", "files", *_) | ("p", project, "d", repo, "git"):
                return Found(f"e.coding.net/{team}/{project}/{repo}", page=True)
        return None


def _parts(clone: URL) -> tuple[str, str, str]:
    parts = clone.segments
    if clone.authority != "e.coding.net" or len(parts) != 3:
        raise NoRoute(
            f"{clone} is not of the form https://e.coding.net/TEAM/PROJECT/REPO.git, so its raw files are unknown"
        )
    return parts[0], parts[1], parts[2].removesuffix(".git")


KIND = Coding()

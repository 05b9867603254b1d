"""Gitee: Git repositories and raw files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.hosts._base import Found, HostKind, below, server_of
from crane_mirrors.url import encode

if TYPE_CHECKING:
    from crane_mirrors.files import FilePath, Ref
    from crane_mirrors.url import URL

__all__ = ["KIND"]


class Gitee(HostKind):
    """https://gitee.com; a raw URL's ref may hold slashes, Gitee finds where it ends."""

    domains = ("gitee.com",)

    def raw_url(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``gitee.com/OWNER/REPO/raw/REF/PATH``."""
        return f"{clone.scheme}://{clone.place.removesuffix('.git')}/raw/{encode(str(ref))}/{encode(str(path))}"

    def file_page(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``gitee.com/OWNER/REPO/blob/REF/PATH``."""
        return f"{clone.scheme}://{clone.place.removesuffix('.git')}/blob/{encode(str(ref))}/{encode(str(path))}"

    def find(self, url: URL) -> Found | None:
        """Read clone URLs, pages of repositories and trees, and raw and page URLs of files."""
        if len(url.segments) < 2 or not all(url.segments[:2]):
            return None
        owner, repo, *rest = url.segments
        repository = f"{server_of(url)}/{owner}/{repo.removesuffix('.git')}"
        return below(repository, rest)


KIND = Gitee()

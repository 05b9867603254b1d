"""GitHub: Git repositories, raw files, and Helm repositories on GitHub Pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.hosts._base import Found, HostKind, below, file_in, server_of, split_ref
from crane_mirrors.url import encode

if TYPE_CHECKING:
    from crane_mirrors.files import FilePath, Ref
    from crane_mirrors.url import URL

__all__ = ["KIND"]

RAW = "raw.githubusercontent.com"


class GitHub(HostKind):
    """https://github.com; a raw URL's ref may hold slashes, GitHub finds where it ends."""

    domains = ("github.com", "www.github.com", "ssh.github.com", RAW, "*.github.io")

    def raw_url(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``raw.githubusercontent.com/OWNER/REPO/REF/PATH``; on a company's own GitHub ``OWNER/REPO/raw/…``."""
        repository = clone.path.removesuffix(".git")
        own = f"{clone.scheme}://{clone.authority}{repository}/raw"
        base = f"https://{RAW}{repository}" if server_of(clone) in self.domains else own
        return f"{base}/{encode(str(ref))}/{encode(str(path))}"

    def file_page(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build ``github.com/OWNER/REPO/blob/REF/PATH``."""
        return f"{clone.scheme}://{clone.place.removesuffix('.git')}/blob/{encode(str(ref))}/{encode(str(path))}"

    def find(self, url: URL) -> Found | None:
        """Read clone URLs, pages of repositories and trees, and the shapes of raw and page URLs."""
        if url.host.endswith(".github.io") or len(url.segments) < 2 or not all(url.segments[:2]):
            return None
        owner, repo, *rest = url.segments
        server = server_of(url)
        repository = f"{'github.com' if server in self.domains else server}/{owner}/{repo.removesuffix('.git')}"
        if url.host == RAW:
            return file_in(repository, *split_ref(rest))
        return below(repository, rest)


KIND = GitHub()

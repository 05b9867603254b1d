"""Whose a file is, and who may do what with it: that stays when a new file takes its place."""

from __future__ import annotations

import os

__all__ = ["take_over"]


def take_over(handle: int, owner: tuple[int, int], mode: int) -> None:
    """Give an open file another one's user, group and mode, once all of it is written. Raises OSError."""
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != owner:
        os.fchown(handle, *owner)
    # At the end, because a change of owner takes the set-user-ID bit away, and so does whoever writes and is not root.
    os.fchmod(handle, mode)

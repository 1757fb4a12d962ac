"""The file system that a folder is on, as Linux tells it, and whether its locks reach other
machines. Elsewhere nothing is known of either."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import NamedTuple

MOUNTS = Path("/proc/self/mounts")
_NFS = {"local_lock=all", "local_lock=flock", "nolock"}


class Mount(NamedTuple):
    """A mounted file system."""

    kind: str
    """Its type, such as ext4 or nfs4."""
    options: frozenset[str]
    """The options that it is mounted with."""

    @property
    def local_locks(self) -> str:
        """The option by which locks are not seen by other machines (``local_lock=all`` of NFS,
        ``localflock`` of Lustre), or words for a kind of which none are; empty where neither is
        known."""
        if self.kind == "fuse.sshfs":
            return "no shared locks"
        options = {"lustre": {"localflock"}, "nfs": _NFS, "nfs4": _NFS}.get(self.kind, set())
        return min(self.options & options, default="")


def mount_of(folder: Path) -> Mount | None:
    """The file system that a folder is on; None where that is not known."""
    mount, place = None, Path()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        folder = folder.resolve()
        for line in MOUNTS.read_text().splitlines():
            _, point, kind, options, *_ = [*line.split(" "), *[""] * 3]
            at = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point))
            if folder.is_relative_to(at) and len(at.parts) >= len(place.parts):
                mount, place = Mount(kind, frozenset(options.split(","))), at
    return mount

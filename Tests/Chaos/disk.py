"""Small disks that can be filled: a tmpfs each, if this process is root and may mount one.

They are mounted in a mount namespace of this process and its children, and so vanish with them, however they end.
"""

import ctypes
import errno
import os
import pathlib
import shutil
import tempfile

BYTES = 24 * 1024 * 1024
STEPS_BYTES = (1024 * 1024, 4096)
# <linux/sched.h>, <linux/mount.h>, umount(2)
CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x40000
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def can_mount():
    """Makes a namespace for this process. Returns whether mounting is allowed in it."""
    if os.getuid() != 0 or LIBC.unshare(CLONE_NEWNS) != 0:
        return False
    # Otherwise the mounts would be visible outside, and stay.
    if LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="gohub-chaos-disk-") as folder:
        try:
            Disk(pathlib.Path(folder) / "disk").unmount()
        except OSError:
            return False
    return True


class Disk:
    def __init__(self, folder, size=BYTES, user=None):
        """Mounts a disk that only one user can access: the current one by default."""
        self.folder = folder
        self.ballast = folder / "ballast"
        folder.mkdir()
        owner = "" if user is None else f",uid={user},gid={user}"
        options = f"size={size},mode=0700{owner}".encode()
        if LIBC.mount(b"gohub-chaos", bytes(folder), b"tmpfs", MS_NOSUID | MS_NODEV, options) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"no tmpfs can be mounted at {folder}: {os.strerror(code)}")

    def fill(self, left):
        """Fills the disk up to this many free bytes, in whole pages."""
        with open(self.ballast, "wb", buffering=0) as file:
            for step in STEPS_BYTES:
                try:
                    while file.write(bytes(step)) == step:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        os.truncate(self.ballast, max(0, os.stat(self.ballast).st_size - left))

    def empty(self):
        self.ballast.unlink(missing_ok=True)

    def unmount(self, copy=None):
        """Unmounts the disk. Copies its files first if they are to be investigated."""
        try:
            self.empty()
            if copy is not None:
                shutil.copytree(self.folder, copy, symlinks=True)  # PostgreSQL's log is on another disk
        finally:
            LIBC.umount2(bytes(self.folder), MNT_DETACH)

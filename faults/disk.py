"""A small file system for PostgreSQL, so that it can fill up."""

import os
import subprocess


class SmallDisk:
    """A file system of so many MiB at `path`, where this machine lets us make one."""

    def __init__(self, path, mib: int):
        self.path, self.mib = path, mib

    def mount(self) -> str | None:
        """None, or why it cannot be had."""
        if os.geteuid() != 0:
            return "only root may mount a small file system"
        self.path.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.mib}m,mode=711", "tmpfs", self.path],
            capture_output=True,
            text=True,
        )
        return done.stderr.strip() or "mount failed" if done.returncode else None

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], capture_output=True)

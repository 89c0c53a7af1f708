"""Runs a program as another user: `python unprivileged.py UID GID program arguments…`.

PostgreSQL refuses to run as root, so where we are root this stands before it.
"""

import ctypes
import os
import sys

# From linux/capability.h, linux/prctl.h and linux/securebits.h
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2


def become(uid: int, gid: int):
    """Give up root for good, and on Linux keep one right of it: to walk through directories closed to `uid`.

    Without that right PostgreSQL could not run from a folder below /root, or one made by `mktemp -d`; and opening such
    folders to everyone is not ours to do.
    """
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    # Otherwise the change of user takes all rights away, and access() would answer as if they had been.
    kept = libc is not None and libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if kept:
        # Reading is all that is needed, but containers often grant only the larger right.
        keep_only(libc, CAP_DAC_READ_SEARCH) or keep_only(libc, CAP_DAC_OVERRIDE) or keep_only(libc, None)


def keep_only(libc, capability: int | None) -> bool:
    """Drop every capability but this one, which the program we become inherits. False if it was not ours to keep."""
    bits = 0 if capability is None else 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, once for the low and once for the high 32 capabilities.
    sets = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    if libc.capset(header, sets) != 0:
        return False
    return capability is None or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])

"""Becomes another program that dies with its parent and, if asked, runs as another user.

Started as a script with nothing but the standard library:
`launch_main.py PARENT DEATH_SIGNAL UID GID FOLDER PROGRAM ARGUMENT...`; UID -1 keeps the user and
DEATH_SIGNAL 0 asks for no signal. A script of its own instead of code between fork and exec, which is not
safe in a process with threads. The order matters: the kernel forgets the death signal when the user changes.
"""

from __future__ import annotations

import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change folder, user and death signal, check that the parent lives, then exec."""
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    linux = death_signal and sys.platform == "linux"
    if linux:
        import ctypes  # before the change of user: the new one may be shut out of Python's own folder

        libc = ctypes.CDLL(None)
    os.chdir(sys.argv[5])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if linux:
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(sys.argv[6], sys.argv[6:])  # noqa: S606 - what this script is for


if __name__ == "__main__":
    main()

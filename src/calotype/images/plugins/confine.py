"""Runs a program that reads hostile data: `python confine.py SECONDS ADDRESS_SPACE FILE_SIZE PROGRAM ARGUMENTS…`.

A program of its own, started afresh: what it does must not be done between fork and exec of a process with threads.
It has processor time, memory and file size limited (seconds, bytes, bytes), no core dump, no new privileges, no network
where the kernel lets it go, and it does not outlive the process that started it.
"""

import ctypes
import os
import resource
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SIGKILL = 9
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_NICENESS = 10


def main(arguments: list[str]) -> None:
    """Become the program; it does not return."""
    seconds, address_space, file_size = map(int, arguments[:3])
    program = arguments[3:]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # As root a new network is enough; others get it with a new user namespace. Containers may forbid both, and the
    # program is told to open local files only: then this second fence is missing.
    if libc.unshare(_CLONE_NEWNET):
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    os.nice(_NICENESS)
    os.umask(0o027)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, seconds, seconds + 1)  # the first ends it with a signal of its own
    _limit(resource.RLIMIT_FSIZE, file_size)
    _limit(resource.RLIMIT_AS, address_space)
    os.execv(program[0], program)  # noqa: S606 - becoming that program, without a shell, is what this is for


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Set both limits, neither above what is allowed."""
    _, highest = resource.getrlimit(kind)
    ceiling = sys.maxsize if highest == resource.RLIM_INFINITY else highest
    resource.setrlimit(kind, (min(soft, ceiling), min(soft if hard is None else hard, ceiling)))


if __name__ == "__main__":
    main(sys.argv[1:])

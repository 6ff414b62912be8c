"""Sees to it that a process ends with all that it started, whichever is killed.

Ray's processes mostly end with the one that started them, but where that is killed two of its agents stay
for a while, and its files for good. So one process does nothing but wait for another, which runs Ray: what is
left when that ends descends from the first. If the first is killed, the kernel tells the second, which ends
as on any signal. On Linux descendants stay such when their parent ends; elsewhere some may be missed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import psutil

_PDEATHSIG, _SUBREAPER = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER of prctl(2)
_PATIENCE = 5  # s, for processes that are asked to end
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervised(run: Callable[[], int]) -> int:
    """Run a function in a process of its own, and end everything that descends from it in the end.

    To be called while there is one thread. Signals to end are handed on as SIGTERM.

    Returns:
        what the function returned; less than 0: minus the signal that ended it.
    """
    _control(_SUBREAPER, 1)
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()  # Ctrl-C reaches the supervisor alone
        _control(_PDEATHSIG, signal.SIGTERM)
        _exit_with(run if os.getppid() == supervisor else lambda: 1)
    for number in _ENDING:
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    end_descendants()
    return os.waitstatus_to_exitcode(status)


def _exit_with(run: Callable[[], int]) -> NoReturn:
    """What stands on the stack is the supervisor's, so nothing may return or raise to it."""
    code = 1
    try:
        code = run()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def end_descendants() -> None:
    """End every process that descends from this one, and wait for each: ask first, then insist."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)  # finish what is begun
    _control(_SUBREAPER, 1)
    this = psutil.Process()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = this.children(recursive=True)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
        psutil.wait_procs(left, timeout=_PATIENCE)


def _control(option: int, value: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(option, int(value), 0, 0, 0)

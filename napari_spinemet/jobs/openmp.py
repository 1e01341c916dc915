"""How the threads of a computation wait for each other, and how many there may be.

OpenMP's threads wait by spinning, each on a core of its own. Where other programs want the cores
too, they spin away the very time that the thread they wait for needs: beside eight busy
processes on two cores a slice took three times as long with two threads as with one, and more.
Told to spin for a moment only and then to sleep, two threads take there what one takes.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

SHORT_SPIN = {"GOMP_SPINCOUNT": "1000"}
"""Turns of the loop in which a thread waits before it sleeps, some 10 us in all.

GNU's library (Linux) spins 300,000 turns by itself, and 100 where it knows that its own threads
are more than the cores. At 3,000 the trouble is back; without any, a quiet computer is slower by
a tenth.
"""
_WAIT_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_COUNT_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_IS_COUNT_SET = any(name in os.environ for name in _COUNT_VARIABLES)
_GROUPS = Path("/sys/fs/cgroup")


def short_spin_variables() -> dict[str, str]:
    """What a process that is about to start is given; nothing where the user has set it."""
    return {} if any(name in os.environ for name in _WAIT_VARIABLES) else dict(SHORT_SPIN)


def let_waiting_threads_sleep() -> None:
    """Let the threads of this process spin for a moment only.

    To be called before torch is imported: its library reads these variables once, as it loads.
    """
    os.environ.update(short_spin_variables())


def prepare_own_process() -> None:
    """Settings for a process that is ours alone, before torch is imported.

    The library knows the affinity by itself, and starts as many threads as there are cores in it;
    of the quota of a container it knows nothing.
    """
    let_waiting_threads_sleep()
    if not are_threads_set_by_user() and _container_quota(_GROUPS) is not None:
        os.environ["OMP_NUM_THREADS"] = str(usable_cores())


def are_threads_set_by_user() -> bool:
    """Whether the environment said how many threads there are to be when this was loaded."""
    return _IS_COUNT_SET


def usable_cores() -> int:
    """Cores that this process may use: by its affinity, and by the quota of its container."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _container_quota(_GROUPS)
    return cores if quota is None else max(1, min(cores, math.floor(quota)))


def _container_quota(groups: Path) -> float | None:
    """Cores' worth of time that the control group grants (version 2, else 1); None for all."""
    try:
        quota, period = (groups / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (groups / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        except OSError:
            return None
    if quota in ("max", "-1") or not period.isdigit() or not quota.isdigit():
        return None
    return int(quota) / int(period)

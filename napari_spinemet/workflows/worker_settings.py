"""Where independent tasks are computed, as one value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerSettings:
    """Scheduler, number of workers and threads of each task.

    Attributes
    ----------
    scheduler : str or None
        None for this process, one task after the other; ``"local"`` for a cluster of processes
        on this machine; else the address of a dask scheduler.
    workers : int or None
        Of a local cluster; one a processor core by default.
    threads : int or None
        Processor threads of each task. With one, the same task gives the same numbers wherever
        it runs. None leaves torch's own choice.
    """

    scheduler: str | None = None
    workers: int | None = None
    threads: int | None = None


THIS_PROCESS = WorkerSettings()

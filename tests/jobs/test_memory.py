"""Freed memory is kept in a process that only computes, so that its next step finds it mapped."""

import os
import subprocess
import sys

import pytest

from napari_spinemet.jobs.memory import KEEPING

PROGRAM = """
import resource
from napari_spinemet.jobs.memory import give_memory_back, keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

if {keep}:
    keep_freed_memory()
for number in range(6):
    if number == 1:
        before = faults()
    b"x" * 2**26  # freed at once
print(faults() - before)
held = resident()
give_memory_back()
print(held - resident())
"""
PAGES = 2**26 // 4096


@pytest.mark.skipif(sys.platform != "linux", reason="what is tested is of glibc")
def test_a_kept_array_is_not_faulted_in_again() -> None:
    """Whether the process asks for it itself or is begun so."""

    def run(keep: bool, **environment: str) -> tuple[int, int]:
        program = PROGRAM.format(keep=keep)
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **environment},
        )
        faults, given = map(int, done.stdout.split())
        return faults, given

    faults, given = run(keep=True)
    assert faults < PAGES / 10
    assert given > 0.9 * PAGES  # it goes back when that is asked for
    assert run(keep=False, **KEEPING)[0] < PAGES / 10
    assert run(keep=False)[0] > 4 * PAGES  # five arrays, each in new pages

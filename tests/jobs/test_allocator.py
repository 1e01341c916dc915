"""Freed memory is kept in a process that only computes, so that its next step finds it mapped."""

import os
import subprocess
import sys

import pytest

from napari_spinemet.jobs.allocator import ALLOCATOR_VARIABLES

PROGRAM = """
import resource
from napari_spinemet.jobs.allocator import give_memory_back, keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

if {keep}:
    keep_freed_memory()
began = resident()
for number in range(6):
    if number == 1:
        before = faults()
    b"x" * 2**26  # freed at once
print(faults() - before)
held = resident()
print(held - began)
give_memory_back()
print(held - resident())
"""
PAGES = 2**26 // 4096


@pytest.mark.skipif(sys.platform != "linux", reason="what is tested is of glibc")
def test_a_kept_array_is_not_faulted_in_again() -> None:
    """Whether the process asks for it itself or is begun so.

    That nothing is kept unasked is seen in what stays resident: how many faults six new arrays
    take is another matter where the system gives memory by huge pages.
    """

    def run(keep: bool, **environment: str) -> tuple[int, int, int]:
        program = PROGRAM.format(keep=keep)
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={k: v for k, v in os.environ.items() if k not in ALLOCATOR_VARIABLES} | environment,
        )
        faults, held, given = map(int, done.stdout.split())
        return faults, held, given

    faults, held, given = run(keep=True)
    assert faults < PAGES / 10
    assert held > 0.9 * PAGES
    assert given > 0.9 * PAGES  # it goes back when that is asked for
    faults, held, _ = run(keep=False, **ALLOCATOR_VARIABLES)
    assert faults < PAGES / 10
    assert held > 0.9 * PAGES
    assert run(keep=False)[1] < PAGES / 10

"""What OpenMP is told before it loads, and the cores that may be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_spinemet.jobs import openmp
from napari_spinemet.jobs.openmp import (
    SHORT_SPIN,
    let_waiting_threads_sleep,
    prepare_own_process,
    short_spin_variables,
    usable_cores,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a word on threads, and outside of any container."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "GOMP", "MKL"))}
    monkeypatch.setattr(os, "environ", variables)
    monkeypatch.setattr(openmp, "_IS_COUNT_SET", False)
    monkeypatch.setattr(openmp, "_GROUPS", tmp_path)


def test_threads_are_told_to_sleep_unless_the_user_has_spoken() -> None:
    """Both variables count; what he set stays."""
    os.environ["OMP_WAIT_POLICY"] = "ACTIVE"
    assert short_spin_variables() == {}
    let_waiting_threads_sleep()
    assert "GOMP_SPINCOUNT" not in os.environ
    del os.environ["OMP_WAIT_POLICY"]
    os.environ["GOMP_SPINCOUNT"] = "5"
    let_waiting_threads_sleep()
    assert os.environ["GOMP_SPINCOUNT"] == "5"
    del os.environ["GOMP_SPINCOUNT"]
    let_waiting_threads_sleep()
    assert SHORT_SPIN.items() <= os.environ.items()


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "300000 100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu.max": "nonsense\n"}, None),
    ],
)
def test_cores_are_those_of_affinity_and_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], quota: int | None
) -> None:
    """Of eight that the process may run on; both versions of control groups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores() == (quota or 8)
    prepare_own_process()
    assert os.environ.get("OMP_NUM_THREADS") == (None if quota is None else str(quota))


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems that do not have it."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6


def test_a_number_that_the_user_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a container with less."""
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    monkeypatch.setattr(openmp, "_IS_COUNT_SET", True)
    os.environ["OMP_NUM_THREADS"] = "4"
    prepare_own_process()
    assert os.environ["OMP_NUM_THREADS"] == "4"

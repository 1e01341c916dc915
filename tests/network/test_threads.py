"""The number of torch's threads: chosen in one place, and put back."""

from __future__ import annotations

import threading

import pytest
import torch

from napari_spinemet.network import threads
from napari_spinemet.network.threads import choose_threads, torch_threads


def test_the_number_of_threads_comes_back() -> None:
    """After an error and within another choice too; None changes nothing."""
    former = torch.get_num_threads()
    with torch_threads(3):
        assert torch.get_num_threads() == 3
        with pytest.raises(ValueError, match="2 threads"), torch_threads(2):
            raise ValueError(f"{torch.get_num_threads()} threads")
        assert torch.get_num_threads() == 3
        with torch_threads(None):
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == former


def test_jobs_that_end_in_another_order_leave_the_first_number() -> None:
    """What a thread that starts later gets is what it was before both."""
    former = torch.get_num_threads()
    is_inside, may_end = threading.Event(), threading.Event()

    def work() -> None:
        with torch_threads(2):
            is_inside.set()
            may_end.wait(60)

    thread = threading.Thread(target=work)
    with torch_threads(3):
        thread.start()
        assert is_inside.wait(60)
    may_end.set()
    thread.join(60)
    counts: list[int] = []
    later = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    later.start()
    later.join(60)
    assert counts == [former]


def test_cores_are_spared_and_the_user_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never fewer than one, never more than torch was given."""
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    with torch_threads(8):
        assert choose_threads() == 4
        assert choose_threads(spare_cores=1) == 3
        assert choose_threads(spare_cores=9) == 1
        monkeypatch.setattr(threads, "are_threads_set_by_user", lambda: True)
        assert choose_threads(spare_cores=1) == 8
    monkeypatch.setattr(threads, "are_threads_set_by_user", lambda: False)
    with torch_threads(2):
        assert choose_threads() == 2

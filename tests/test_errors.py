"""The check that many share."""

from __future__ import annotations

import pytest

from napari_spinemet.errors import SpinemetError, check_seed


def test_a_seed_is_not_negative() -> None:
    """0 is the first that random generators take."""
    check_seed(0)
    with pytest.raises(SpinemetError, match="0 or more, not -1"):
        check_seed(-1)

"""Relaxation, sequences, signals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_spinemet.phantom.physics.relaxation import (
    FAT,
    TISSUES,
    Relaxation,
    marrow_fat_share,
)
from napari_spinemet.phantom.physics.sequences import (
    CONTRASTS,
    FIELDS_T,
    Protocol,
    draw_field,
    draw_protocol,
)


def bloch(tissue: Relaxation, protocol: Protocol, step_ms: float = 0.05) -> float:
    """The same signal by small steps of time: recovery, inversion, recovery, decay."""
    t1 = tissue.t1_at(protocol.field_t)
    magnetisation = 1.0
    for _ in range(20):  # until the cycle repeats itself
        if protocol.inversion_ms is None:
            magnetisation = 1 - (1 - 0.0) * math.exp(-protocol.repetition_ms / t1)
            continue
        # After the readout nothing is left; it grows until the next inversion.
        wait = protocol.repetition_ms - protocol.inversion_ms
        before = 0.0
        for _ in range(int(wait / step_ms)):
            before += step_ms * (1 - before) / t1
        magnetisation = -protocol.inversion_efficiency * before
        for _ in range(int(protocol.inversion_ms / step_ms)):
            magnetisation += step_ms * (1 - magnetisation) / t1
        break
    return tissue.density * magnetisation * math.exp(-protocol.echo_ms / tissue.t2_ms)


@pytest.mark.parametrize("name", ["marrow", "muscle", "nucleus", "csf", "fluid"])
@pytest.mark.parametrize(
    "protocol",
    [
        Protocol("stir", 1.5, 3000, 60, 160),
        Protocol("stir", 0.3, 2500, 40, 110),
        Protocol("t1", 3.0, 600, 10),
        Protocol("t2", 1.5, 3500, 100),
    ],
)
def test_the_signal_is_that_of_the_equation_of_motion(name: str, protocol: Protocol) -> None:
    """The closed form against Bloch's equation in small steps, to one per cent of full signal."""
    tissue = TISSUES[name]
    assert protocol.water_signal(tissue) == pytest.approx(bloch(tissue, protocol), abs=0.01)


def test_inversion_at_its_null_leaves_nothing() -> None:
    """Where all has recovered before, at T1 times the logarithm of two."""
    t1 = FAT.t1_at(1.5)
    protocol = Protocol("stir", 1.5, 1e6, 50, math.log(2) * t1)
    assert protocol.fat_signal() == pytest.approx(0, abs=1e-9)
    water = protocol.water_signal(TISSUES["muscle"])
    assert water < 0  # of the longer T1 nothing has come back yet
    assert TISSUES["muscle"].t1_at(3.0) > TISSUES["muscle"].t1_ms > TISSUES["muscle"].t1_at(0.3)


def test_sequences_are_as_hospitals_run_them() -> None:
    """TI within 15 per cent of the fat's null at each field; TE from 30 to 110 ms."""
    rng = np.random.default_rng(0)
    for field_t in FIELDS_T:
        null_ms = math.log(2) * FAT.t1_at(field_t)
        for _ in range(40):
            protocol = draw_protocol("stir", field_t, rng)
            assert protocol.inversion_ms is not None
            assert abs(protocol.inversion_ms / null_ms - 1) <= 0.15
            assert 30 <= protocol.echo_ms <= 110
    # What is usual: about 110 at 0.3 T, 150 to 180 at 1.5 T, 190 to 230 at 3 T.
    for field_t, usual in ((0.3, 110), (1.5, 165), (3.0, 210)):
        assert abs(math.log(2) * FAT.t1_at(field_t) / usual - 1) < 0.15
    assert {draw_field(rng) for _ in range(300)} == set(FIELDS_T)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_tissues_stand_as_every_reader_knows_them(contrast: str) -> None:
    """Fluid against fat, marrow and muscle in each contrast."""
    protocol = draw_protocol(contrast, 1.5, np.random.default_rng(1))
    csf, fat, muscle = (
        abs(sum(protocol.mixture(TISSUES[name]))) for name in ("csf", "fat", "muscle")
    )
    if contrast == "t1":
        assert fat > 2 * csf
        assert muscle > csf
    elif contrast == "t2":
        assert csf > fat > muscle
    else:
        assert csf > 4 * fat
        assert csf > muscle


def test_marrow_turns_to_fat_with_age_and_downwards() -> None:
    """About 0.3 in the twenties and 0.45 past sixty in the lumbar spine."""
    assert 0.24 < marrow_fat_share(25, 20) < 0.34
    assert 0.40 < marrow_fat_share(70, 20) < 0.52
    assert marrow_fat_share(60, 5) < marrow_fat_share(60, 18) < marrow_fat_share(60, 23)


def test_every_constant_is_a_tissue() -> None:
    """Positive times, T2 not above T1, shares between 0 and 1; water stays the densest."""
    for name, tissue in {**TISSUES, "pure fat": FAT}.items():
        assert 0 < tissue.t2_ms <= tissue.t1_ms, name
        assert 0 < tissue.density <= 1, name
        assert 0 <= tissue.fat < 1, name

"""Contours in the database come back as they were saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contour_images import CASE, image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spinemet.study.contour_rows import NETWORK
from napari_spinemet.study.database import (
    CONTOURS_APPROVED,
    StudyDatabase,
)


def test_what_was_saved_is_there_when_it_is_opened_again(
    database: StudyDatabase, folder: Path
) -> None:
    """Every pixel of each slice and layer, levels, state; of each reader and origin apart."""
    images_by_layer = {}
    for reader in ("", "Dr Ö"):
        for origin in ("person", NETWORK):
            for layer in ("lesions", "vertebrae"):
                images = {k: image(len(images_by_layer) * 20 + k) for k in (0, 3, 12)}
                database.contours.save("case-001", layer, images, reader=reader, origin=origin)
                images_by_layer[reader, origin, layer] = images
    database.contours.save("case-001", "lesions", {3: np.zeros((40, 30), int)})
    images_by_layer["", "person", "lesions"][3] = np.zeros((40, 30), np.uint16)
    database.contours.save_levels("case-001", {2: "L1", 1: "Th12"}, reader="Dr Ö")
    database.set_state("case-001", CONTOURS_APPROVED, who="Dr Ö")
    database.close()
    reopened_database = StudyDatabase(folder)
    for (reader, origin, layer), images in images_by_layer.items():
        stored_images = reopened_database.contours.slices(
            "case-001", layer, reader=reader, origin=origin
        )
        assert list(stored_images) == list(images)
        for index, labels in images.items():
            assert stored_images[index].dtype == np.uint16
            np.testing.assert_array_equal(stored_images[index], labels)
    assert reopened_database.contours.readers("case-001") == ["", "Dr Ö"]
    assert reopened_database.contours.levels("case-001", reader="Dr Ö") == {1: "Th12", 2: "L1"}
    assert reopened_database.contours.levels("case-001") == {}
    (case,) = reopened_database.cases()
    assert (case.state, case.state_by, case.shape) == (CONTOURS_APPROVED, "Dr Ö", (13, 40, 30))
    assert case.state_at.endswith("+00:00")
    assert reopened_database.verify() == []
    reopened_database.close()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(("lesions", "vertebrae")), st.integers(0)),
        max_size=12,
    )
)
def test_the_last_of_many_strokes_counts(
    tmp_path_factory: pytest.TempPathFactory, strokes: list[tuple[int, str, int]]
) -> None:
    """In any order, on any slices; the trail has them all and stays whole."""
    database = StudyDatabase(tmp_path_factory.mktemp("study"))
    database.add_case(CASE)
    last_images: dict[tuple[str, int], np.ndarray] = {}
    for index, layer, seed in strokes:
        database.contours.save("case-001", layer, {index: image(seed)})
        last_images[layer, index] = image(seed)
    stored_images = {
        (layer, index): labels
        for layer in ("lesions", "vertebrae")
        for index, labels in database.contours.slices("case-001", layer).items()
    }
    assert stored_images.keys() == last_images.keys()
    for key, labels in last_images.items():
        np.testing.assert_array_equal(stored_images[key], labels)
    assert sum(e.action == "contour" for e in database.audit()) == len(strokes)
    assert database.verify() == []
    database.close()


def test_only_strokes_make_contours_another_revision(database: StudyDatabase) -> None:
    """Not verdicts, states or runs: curves of a study stay valid then."""
    assert database.contours.revision == 0
    database.contours.save("case-001", "lesions", {3: image(1)})
    revision = database.contours.revision
    database.set_findings("case-001", "detected")
    database.results.save_verdict("case-001", (0, 0, 0), "accepted")
    assert database.contours.revision == revision > 0
    database.contours.save_levels("case-001", {1: "L1"})
    assert database.contours.revision > revision

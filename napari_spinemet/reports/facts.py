"""What every report says of inputs, model and settings."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation import FrocCurve
from ..imaging import Annotation, OperatingPoint, SagittalSeries
from ..network.card import ModelCard
from ..network.provenance import scans_learned_from
from ..study.store import user
from ..version import __version__
from .page import Block, Facts, Paragraph, Section, Table


def voxel_hash(series: SagittalSeries) -> str:
    """SHA-256 of the intensities and the place of a series in the patient, wherever it lies."""
    return _hash_of(series.voxels, series.affine)


def contour_hash(annotation: Annotation) -> str:
    """SHA-256 of the labels of an annotation."""
    return _hash_of(annotation.lesions, annotation.vertebrae)


def _hash_of(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def curve_table(curves: Sequence[tuple[str, FrocCurve]]) -> Table:
    """Every point of some curves, in full precision."""
    rows = [
        (name, *(repr(float(value)) for value in point))
        for name, curve in curves
        for point in zip(curve.thresholds, curve.tp_rate, curve.fp_mean, curve.fp_sum, strict=True)
    ]
    columns = ("Curve", "Threshold", "TP rate", "FP, mean over slices", "FP per scan")
    return Table("froc", columns, rows)


def format_time(time: str) -> str:
    """A time of the study's tables for a reader."""
    return f"{time[:16].replace('T', ' ')} UTC" if time else "–"


def origin_section(report_time: datetime.datetime | None = None) -> Section:
    """Who made the report, when, and with what."""
    report_time = report_time or datetime.datetime.now(datetime.UTC)
    rows = [
        ("Made", f"{report_time:%Y-%m-%d %H:%M} UTC by {user()}"),
        ("Program", f"napari-spinemet {__version__}"),
        (
            "Method",
            (
                "Siamese network at three resolutions, after Wang, Fang, Lang, Yuan, Su and Baldi "
                "(Computers in Biology and Medicine 84, 2017)"
            ),
        ),
    ]
    return Section("This report", [Facts(rows)])


def settings_rows(
    point: OperatingPoint, *, has_fitted_outlines: bool = False
) -> list[tuple[str, str]]:
    """The operating point in words.

    Parameters
    ----------
    point : OperatingPoint
    has_fitted_outlines : bool
        Whether outlines were moved to the edges in the picture.
    """
    return [
        ("Threshold", f"{point.threshold:.3f}"),
        ("Minimum area", f"{point.min_area_cm2:g} cm²"),
        (
            "Aggregation",
            "none"
            if point.weight is None
            else f"over neighbouring slices, weight {point.weight:.3g} of the slice itself",
        ),
        ("Gate", "only within the recognised spine" if point.gate else "none"),
        (
            "Second look",
            "what is marked is compared with the patient's other bodies, where that is possible"
            if point.second_look
            else "none",
        ),
        (
            "Outlines",
            "fitted to the picture, by 3 mm at most"
            if has_fitted_outlines
            else "where the threshold is passed",
        ),
    ]


def model_section(identity: str, card: ModelCard | None) -> Section:
    """The model's card.

    Parameters
    ----------
    identity : str
        What the maps are by.
    card : ModelCard or None
        None where it is lost.
    """
    if card is None:
        return Section(
            "Model",
            [Facts([("Identity", identity)]), Paragraph("Its card is not at hand.", warning=True)],
        )
    configuration, training, point = card.configuration, card.training, card.operating_point
    resolutions = configuration.get("resolutions", ())
    rows = [
        ("Identity", identity),
        ("SHA-256 of the weights", card.sha256 or "unknown"),
        (
            "Network",
            (
                f"{configuration.get('form', '?')} form, resolutions "
                f"{', '.join(f'{r:g}' for r in resolutions)} mm, "
                f"{configuration.get('outputs', '?')} outputs"
            ),
        ),
        ("Trained", _training_words(training)),
        (
            "Its own operating point",
            f"threshold {point.threshold:.3f}, {point.label}",
        ),
    ]
    blocks: list[Block] = [Facts([*rows, *_metrics(card)])]
    return Section("Model", blocks)


def _training_words(training: Mapping[str, Any]) -> str:
    """When, and from how many scans in all rounds."""
    scans, date = scans_learned_from(training), training.get("date", "an unknown date")
    number = "an unknown number of" if scans is None else str(scans)
    return f"last on {date}; {number} scans in all rounds"


def _metrics(card: ModelCard) -> list[tuple[str, str]]:
    """Figures of merit, each with what it was measured on; not the history of the training."""
    rows = []
    for name, value in card.metrics.items():
        values = value if isinstance(value, dict) else {"": value}
        figures = [
            f"{_words(key)} {part:.3g}" if isinstance(part, float) else f"{_words(key)} {part}"
            for key, part in values.items()
            if isinstance(part, int | float | str)
        ]
        if figures:
            heading = _words(name)
            rows.append((heading[:1].upper() + heading[1:], ", ".join(figures).strip()))
    return rows


def _words(name: str) -> str:
    return " ".join({"tp": "TP", "fp": "FP"}.get(w, w) for w in name.split("_"))

"""What the plugin draws by itself on the layers of contours; each a single step for undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...contouring.body_interpolation import interpolate_bodies
from ...contouring.region_growing import grow_region
from ...contouring.slice_interpolation import interpolate_slices
from ...contouring.vertebra_proposal import propose_vertebrae
from ...errors import SpinemetError
from ...imaging.edge_fitting import fit_to_edge
from ...imaging.grids import mask_on_series
from ...imaging.vertebra_levels import assign_levels, order_vertebrae, relabel_vertebrae
from .layer_style import LEVELS_OF

if TYPE_CHECKING:
    from napari.layers import Labels

    from ...imaging import Finding, SagittalSeries
    from .session import Session

Slices = Mapping[int, npt.NDArray[Any]]
PROPOSE = "propose"


class Drawing:
    """Steps on the contours of one viewer.

    Every method raises :class:`SpinemetError` with a sentence where it cannot do its work, and
    then changes nothing.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def _open(self, layer: Any) -> tuple[Any, SagittalSeries]:
        series = self._session.series
        if series is None:
            raise SpinemetError("Open a scan first.")
        if layer is None:
            raise SpinemetError(
                "The layer to draw on was removed; press 'Restore the removed layer'."
            )
        return layer, series

    def copy_slice(self, layer: Labels | None, step: int) -> None:
        """Copy the outlines of this slice to a neighbour, and show that."""
        layer, _ = self._open(layer)
        index = self._session.layers.current_slice
        other = index + step
        if not 0 <= other < layer.data.shape[0]:
            raise SpinemetError("There is no slice on that side.")
        drawn = layer.data[index]
        if not drawn.any():
            raise SpinemetError("This slice has nothing to copy.")
        change(layer, {other: np.where(drawn > 0, drawn, layer.data[other])})
        self._session.layers.go_to(other)

    def grow(
        self, layer: Labels | None, place: Sequence[int], tolerance: float, radius_mm: float
    ) -> None:
        """Add what looks like a pixel and lies near it.

        A lesion stays within the vertebra that was clicked, where that is contoured.
        """
        layer, series = self._open(layer)
        index, *seed = place
        within, layers = None, self._session.layers
        inside = all(0 <= v < n for v, n in zip(seed, series.shape[1:], strict=True))
        lesions = layers.lesions
        if inside and lesions is not None and layer is lesions and layers.vertebrae is not None:
            bodies = np.asarray(layers.vertebrae.data[index])
            body = bodies[tuple(seed)]
            within = bodies == body if body else None
        grown = grow_region(
            series.voxels[index],
            (seed[0], seed[1]),
            series.spacing_mm[1:],
            tolerance=tolerance,
            radius_mm=radius_mm,
            within=within,
        )
        drawn = layer.data[index]
        change(layer, {index: np.where(grown & (drawn == 0), layer.selected_label, drawn)})

    def fit(self, layer: Labels | None) -> None:
        """Move the outlines of this slice to the edge: the chosen one, else all."""
        layer, series = self._open(layer)
        index = self._session.layers.current_slice
        drawn = layer.data[index]
        held = np.unique(drawn[drawn > 0]).tolist()
        chosen = [n for n in held if n == layer.selected_label] or held
        if not chosen:
            raise SpinemetError("There is no outline in this slice to fit; draw one first.")
        fitted = drawn.copy()
        for number in chosen:
            mask = fit_to_edge(series.voxels[index], drawn == number, series.spacing_mm[1:])
            fitted[fitted == number] = 0
            fitted[mask & (fitted == 0)] = number
        if not change(layer, {index: fitted}):
            raise SpinemetError("The outline is at the edge already, or no edge is near.")

    def add_finding(self, finding: Finding) -> tuple[int, bool]:
        """Draw a finding as a lesion; gives its label, and whether it is new.

        A lesion that is contoured there stays as it was drawn: what a person drew is not
        replaced by what a network proposed.
        """
        layer, series = self._open(self._session.layers.lesions)
        labels = np.asarray(layer.data)
        number, there = int(labels.max()) + 1, []
        drawn: dict[int, npt.NDArray[Any]] = {}
        spacing = series.spacing_mm[1:]
        for detection in finding.detections:
            last = detection.pixels.max(axis=0) + 1
            mask = detection.mask((int(last[0]) + 1, int(last[1]) + 1))
            mask = mask_on_series(mask, series.shape[1:], spacing)
            there.append(labels[detection.slice][mask])
            drawn[detection.slice] = np.where(
                mask, number, drawn.get(detection.slice, labels[detection.slice])
            )
        held = np.concatenate(there)
        held = held[held > 0]
        if len(held):
            return int(np.bincount(held).argmax()), False
        if not change(layer, drawn):
            raise SpinemetError("The finding is smaller than a pixel of the scan.")
        return number, True

    def interpolate(self, layer: Labels | None) -> list[int]:
        """Fill empty slices between contoured ones; gives which."""
        layer, series = self._open(layer)
        filled = interpolate_slices(np.asarray(layer.data), series.spacing_mm[1:])
        if not change(layer, filled):
            raise SpinemetError("There is no empty slice between two contoured ones.")
        return sorted(filled)

    def name(self, label: int, level: str, *, rest: bool = True) -> None:
        """Give a vertebra its level, and number the others from it."""
        layer, _ = self._open(self._session.layers.vertebrae)
        labels = np.asarray(layer.data)
        wanted = assign_levels(order_vertebrae(labels), label, level)
        if not rest:
            wanted = {label: level}
        numbered, levels = relabel_vertebrae(labels, self.levels(), wanted)
        layer.metadata[LEVELS_OF] = levels
        change(layer, dict(enumerate(numbered)))

    def number_for(self, level: str) -> int:
        """The number that stands for a level, chosen now if there is none yet."""
        layer, _ = self._open(self._session.layers.vertebrae)
        levels = self.levels()
        known = [number for number, name in levels.items() if name == level]
        number = known[0] if known else max([int(layer.data.max()), *levels], default=0) + 1
        levels[number] = level
        layer.metadata[LEVELS_OF] = levels
        return number

    def levels(self) -> dict[int, str]:
        """What the numbers of vertebrae stand for."""
        return self._session.layers.levels(self._session.annotation)

    def propose(
        self, series: SagittalSeries, marks: Sequence[tuple[float, float, float]]
    ) -> npt.NDArray[np.uint16]:
        """Outlines for the bodies at some marks, numbered from head to feet; takes seconds.

        Of two marks the bodies between them are found too.
        """
        clicks = list(marks)
        if len(clicks) == 2:
            clicks = interpolate_bodies(series, *sorted(clicks, key=lambda c: c[1]))
        return propose_vertebrae(series, clicks)

    def add_proposal(self, proposed: npt.NDArray[np.uint16], top_level: str) -> tuple[int, int]:
        """Draw proposed bodies, the topmost with a level; gives how many, and how many not.

        A body that is contoured already stays as it was drawn.
        """
        layer, _ = self._open(self._session.layers.vertebrae)
        labels = np.asarray(layer.data)
        names = assign_levels(order_vertebrae(proposed), 1, top_level)
        drawn, skipped = labels.copy(), 0
        for number, level in names.items():
            body = proposed == number
            if labels[body].any():
                skipped += 1
                continue
            drawn[body] = self.number_for(level)
        change(layer, dict(enumerate(drawn)))
        return len(names) - skipped, skipped


def change(layer: Labels, slices: Slices) -> bool:
    """Put other labels on some slices as one step; False if they were so already."""
    at, values = [], []
    for index, image in slices.items():
        rows, columns = np.nonzero(image != layer.data[index])
        at.append((np.full(len(rows), index), rows, columns))
        values.append(image[rows, columns])
    if not sum(map(len, values)):
        return False
    where = tuple(np.concatenate(axis) for axis in zip(*at, strict=True))
    layer.data_setitem(where, np.concatenate(values))
    return True

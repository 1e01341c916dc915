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
from ...imaging.findings import mask_of_detection
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
        """Copy the outlines of this slice to a neighbour, and show that.

        Parameters
        ----------
        layer : napari.layers.Labels or None
            None, if it was removed, is refused.
        step : int
            1 for the next slice, -1 for the one before.
        """
        layer, _ = self._open(layer)
        index = self._session.layers.current_slice
        neighbour = index + step
        if not 0 <= neighbour < layer.data.shape[0]:
            raise SpinemetError("There is no slice on that side.")
        labels = layer.data[index]
        if not labels.any():
            raise SpinemetError("This slice has nothing to copy.")
        change(layer, {neighbour: np.where(labels > 0, labels, layer.data[neighbour])})
        self._session.layers.go_to(neighbour)

    def grow(
        self, layer: Labels | None, voxel: Sequence[int], tolerance: float, radius_mm: float
    ) -> None:
        """Add what looks like a pixel and lies near it.

        A lesion stays within the vertebra that was clicked, where that is contoured.

        Parameters
        ----------
        layer : napari.layers.Labels or None
            None, if it was removed, is refused.
        voxel : sequence of int
            (slice, row, column) of the click.
        tolerance : float
            How much a pixel may differ from the clicked one, as a share of its brightness.
        radius_mm : float
            How far from the click it may lie.
        """
        layer, series = self._open(layer)
        index, *seed = voxel
        if not 0 <= index < series.shape[0]:
            raise SpinemetError("The click was beside the picture; click into it.")
        within, layers = None, self._session.layers
        inside = all(0 <= v < n for v, n in zip(seed, series.shape[1:], strict=True))
        lesions = layers.lesions
        if inside and lesions is not None and layer is lesions and layers.vertebrae is not None:
            bodies = np.asarray(layers.vertebrae.data[index])
            body = bodies[tuple(seed)]
            within = bodies == body if body else None
        region = grow_region(
            series.voxels[index],
            (seed[0], seed[1]),
            series.spacing_mm[1:],
            tolerance=tolerance,
            radius_mm=radius_mm,
            within=within,
        )
        labels = layer.data[index]
        change(layer, {index: np.where(region & (labels == 0), layer.selected_label, labels)})

    def fit(self, layer: Labels | None) -> None:
        """Move the outlines of this slice to the edge: the chosen one, else all."""
        layer, series = self._open(layer)
        index = self._session.layers.current_slice
        labels = layer.data[index]
        numbers = np.unique(labels[labels > 0]).tolist()
        if layer.selected_label in numbers:
            numbers = [layer.selected_label]
        if not numbers:
            raise SpinemetError("There is no outline in this slice to fit; draw one first.")
        new_labels = labels.copy()
        for number in numbers:
            mask = fit_to_edge(series.voxels[index], labels == number, series.spacing_mm[1:])
            new_labels[new_labels == number] = 0
            new_labels[mask & (new_labels == 0)] = number
        if not change(layer, {index: new_labels}):
            raise SpinemetError("The outline is at the edge already, or no edge is near.")

    def add_finding(self, finding: Finding) -> tuple[int, bool]:
        """Draw a finding as a lesion; gives its label, and whether it is new.

        A lesion that is contoured there stays as it was drawn: what a person drew is not
        replaced by what a network proposed.
        """
        layer, series = self._open(self._session.layers.lesions)
        labels = np.asarray(layer.data)
        number = next_label(layer)
        former_labels: list[npt.NDArray[Any]] = []
        new_slices: dict[int, npt.NDArray[Any]] = {}
        for detection in finding.detections:
            mask = mask_of_detection(detection, series)
            former_labels.append(labels[detection.slice][mask])
            image = new_slices.get(detection.slice, labels[detection.slice])
            new_slices[detection.slice] = np.where(mask, number, image)
        numbers = np.concatenate(former_labels)
        if numbers.any():
            return int(np.bincount(numbers[numbers > 0]).argmax()), False
        if not change(layer, new_slices):
            raise SpinemetError("The finding is smaller than a pixel of the scan.")
        return number, True

    def interpolate(self, layer: Labels | None) -> list[int]:
        """Fill empty slices between contoured ones; gives which."""
        layer, series = self._open(layer)
        new_slices = interpolate_slices(np.asarray(layer.data), series.spacing_mm[1:])
        if not change(layer, new_slices):
            raise SpinemetError("There is no empty slice between two contoured ones.")
        return sorted(new_slices)

    def name(self, label: int, level: str, *, rest: bool = True) -> None:
        """Give a vertebra its level, and number the others from it.

        Parameters
        ----------
        label : int
            Its number in the layer.
        level : str
            Such as ``"L1"``.
        rest : bool
            Whether the others are numbered too.
        """
        layer, _ = self._open(self._session.layers.vertebrae)
        labels = np.asarray(layer.data)
        # Called in any case: it refuses a label that is no vertebra's.
        new_levels = assign_levels(order_vertebrae(labels), label, level, self.levels())
        if not rest:
            new_levels = {label: level}
        new_labels, levels = relabel_vertebrae(labels, self.levels(), new_levels)
        layer.metadata[LEVELS_OF] = levels
        change(layer, dict(enumerate(new_labels)))

    def number_for(self, level: str) -> int:
        """The number that stands for a level, chosen now if there is none yet."""
        layer, _ = self._open(self._session.layers.vertebrae)
        levels = self.levels()
        numbers = [number for number, name in levels.items() if name == level]
        number = numbers[0] if numbers else max([int(layer.data.max()), *levels], default=0) + 1
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

        Parameters
        ----------
        series : SagittalSeries
        marks : sequence of (slice, row, column)
            One in each body, or in the first and the last of a row.
        """
        clicks = list(marks)
        if len(clicks) == 2:
            clicks = interpolate_bodies(series, *sorted(clicks, key=lambda c: c[1]))
        return propose_vertebrae(series, clicks)

    def add_proposal(self, proposal: npt.NDArray[np.uint16], top_level: str) -> tuple[int, int]:
        """Draw proposed bodies, the topmost with a level; gives how many, and how many not.

        A body that is contoured already stays as it was drawn.

        Parameters
        ----------
        proposal : numpy.ndarray
            Labels on the grid of the series, numbered from head to feet.
        top_level : str
            Level of the first.
        """
        layer, _ = self._open(self._session.layers.vertebrae)
        labels = np.asarray(layer.data)
        levels = assign_levels(order_vertebrae(proposal), 1, top_level)
        new_labels, occupied_count = labels.copy(), 0
        for number, level in levels.items():
            body = proposal == number
            if labels[body].any():
                occupied_count += 1
                continue
            new_labels[body] = self.number_for(level)
        change(layer, dict(enumerate(new_labels)))
        return len(levels) - occupied_count, occupied_count


def next_label(layer: Labels) -> int:
    """A number that no outline has: one above the largest, or the least that is free.

    Parameters
    ----------
    layer : napari.layers.Labels

    Raises
    ------
    SpinemetError
        If all of them are taken.
    """
    labels = np.asarray(layer.data)
    largest, limit = int(labels.max()), int(np.iinfo(labels.dtype).max)
    if largest < limit:
        return largest + 1
    is_used = np.bincount(np.unique(labels), minlength=limit + 1) > 0
    if is_used.all():
        raise SpinemetError("There are no numbers left for another outline; erase one first.")
    return int(np.flatnonzero(~is_used)[0])


def change(layer: Labels, slices: Slices) -> bool:
    """Put other labels on some slices as one step; False if they were so already.

    Parameters
    ----------
    layer : napari.layers.Labels
    slices : mapping of int to numpy.ndarray
        The whole new image of each slice that may differ.
    """
    indices, values = [], []
    for index, image in slices.items():
        rows, columns = np.nonzero(image != layer.data[index])
        indices.append((np.full(len(rows), index), rows, columns))
        values.append(image[rows, columns])
    if not sum(map(len, values)):
        return False
    voxels = tuple(np.concatenate(axis) for axis in zip(*indices, strict=True))
    layer.data_setitem(voxels, np.concatenate(values))
    return True


def why_no_drawing(session: Session) -> str:
    """Why a tool would draw where nobody looks, in a sentence; empty where it would not.

    Parameters
    ----------
    session : Session
    """
    image, dims = session.layers.image, session.viewer.dims
    if image is None:
        return "Open a scan first."
    if dims.ndisplay != 2 or tuple(dims.order)[-3:] != tuple(range(dims.ndim))[-3:]:
        return "Contours are drawn on sagittal slices: go back to the flat view of these first."
    if not 0 <= round(dims.point[0] / image.scale[0]) < image.data.shape[0]:
        return "The slice on the screen lies beside the scan; go back to one of its slices."
    return ""

"""The slices that blocks are drawn from: their images, and what each pixel is and weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ...imaging import Annotation, SagittalSeries
from ...imaging.brightness.marrow_level import MarrowLevel
from ...imaging.grids import nearest_pixel, resample_labels
from ...imaging.patches import build_pyramid
from ...network import SiameseNet
from ...network.device_pyramid import DevicePyramid
from ..sampling import SamplingRule, SliceClasses, slice_classes
from .hard_negatives import far_from_lesions

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
IMAGE_DTYPE = torch.float16
"""Of the images of all cases. They are z-scores: three digits say more than their noise, and
memory holds nearly twice as many cases as in float32."""


@dataclass(frozen=True, eq=False)
class SourceSlice:
    """One slice that is drawn from.

    Attributes
    ----------
    pyramid : DevicePyramid
        Images of all slices of the case that are drawn from.
    position : int
        Which of them this is.
    width : int
        Columns of the working grid.
    pixels : tuple of numpy.ndarray
        int32. Flat working-grid indices that are neither, lesion, or normal vertebra.
    classes : numpy.ndarray
        int8 ``(row, column)``: the same as an image, -1 where nothing is drawn. Smaller than the
        working grid where its last pixels have none of their own at some resolution.
    weights : numpy.ndarray
        ``(3,)``: what one pixel of each class weighs.
    counts : numpy.ndarray
        ``(3,)``: how many pixels of each class the rule draws.
    healthy : numpy.ndarray
        bool ``(row, column)``: pixels that can be mistaken for a lesion.
    mimics : numpy.ndarray or None
        ``(row, column)``: numbers of the places in the case of which a person has said that they
        were, 0 elsewhere; None for none.
    """

    pyramid: DevicePyramid
    position: int
    width: int
    pixels: tuple[npt.NDArray[np.int32], ...]
    classes: npt.NDArray[np.int8]
    weights: FloatArray
    counts: FloatArray
    healthy: npt.NDArray[np.bool_]
    mimics: npt.NDArray[np.int32] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that blocks may lie in."""
        rows, columns = self.classes.shape
        return rows, columns

    def draw_pixel(self, class_shares: FloatArray, rng: np.random.Generator) -> tuple[int, int]:
        """A pixel as the sampling rule draws them.

        Parameters
        ----------
        class_shares : numpy.ndarray
            ``(3,)``: so much of what the rule says is drawn of each class.
        rng : numpy.random.Generator
        """
        counts = self.counts * class_shares
        label = rng.choice(3, p=counts / counts.sum())
        return divmod(int(rng.choice(self.pixels[label])), self.width)

    def draw_mimic(self, number: int, rng: np.random.Generator) -> tuple[int, int]:
        """A pixel of a place that was mistaken for a lesion.

        Parameters
        ----------
        number : int
            Of one of :attr:`mimics`.
        rng : numpy.random.Generator
        """
        assert self.mimics is not None
        return divmod(int(rng.choice(np.flatnonzero(self.mimics == number))), self.shape[1])

    def contains(self, rows: IndexArray, columns: IndexArray) -> npt.NDArray[np.bool_]:
        """Whether working pixels lie in what blocks may lie in.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            Of one shape.
        """
        height, width = self.shape
        return (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)

    def clip(self, rows: IndexArray, columns: IndexArray) -> tuple[IndexArray, IndexArray]:
        """The nearest pixels that lie in it.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            Of one shape.
        """
        height, width = self.shape
        return rows.clip(0, height - 1), columns.clip(0, width - 1)

    def classes_at(self, rows: IndexArray, columns: IndexArray) -> npt.NDArray[np.int8]:
        """Class of working pixels, -1 outside and where nothing is drawn.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            Of one shape.
        """
        return np.where(
            self.contains(rows, columns), self.classes[self.clip(rows, columns)], np.int8(-1)
        )


def slices_of_case(
    series: SagittalSeries,
    annotation: Annotation,
    model: SiameseNet,
    rule: SamplingRule,
    device: torch.device,
    dtype: torch.dtype = IMAGE_DTYPE,
) -> list[SourceSlice]:
    """The slices of a case that the rule draws from.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        On the grid of the series.
    model : SiameseNet
        Says which resolutions, which windows and which normalisation.
    rule : SamplingRule
    device : torch.device
        Where the images lie.
    dtype : torch.dtype
        As what they lie there.
    """
    slices = slice_classes(annotation, series.spacing_mm, rule)
    if not slices:
        return []
    pyramid = build_pyramid(
        series,
        model.resolutions,
        model.window,
        model.normalisation,
        [s.slice for s in slices],
        MarrowLevel.of_contours(series, annotation),
    )
    height, width = (
        min(map(_pixels_before_end, axis, model.resolutions))
        for axis in (pyramid.rows, pyramid.columns)
    )
    in_plane_mm = series.spacing_mm[1], series.spacing_mm[2]
    is_far = far_from_lesions(resample_labels(annotation.lesions, in_plane_mm) > 0)
    mimics = np.zeros(is_far.shape, dtype=np.int32)
    if annotation.mimics is not None:
        is_mimic = resample_labels(annotation.mimics.astype(np.uint16), in_plane_mm) > 0
        ndimage.label(is_mimic, np.ones((3, 3, 3)), output=mimics)
    images = DevicePyramid(pyramid, device, dtype)
    shape = pyramid.working_shape[1:]
    return [
        _source_slice(
            images,
            position,
            classes,
            (is_far[classes.slice], mimics[classes.slice]),
            shape,
            (height, width),
        )
        for position, classes in enumerate(slices)
    ]


def _source_slice(
    pyramid: DevicePyramid,
    position: int,
    classes: SliceClasses,
    is_far_and_mimics: tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32]],
    shape: tuple[int, int],
    extent: tuple[int, int],
) -> SourceSlice:
    """One slice of a case, cut to an extent."""
    labels = np.full(shape, -1, dtype=np.int8)
    for label, pixels in enumerate(classes.pixels):
        labels.ravel()[pixels] = label
    labels = labels[: extent[0], : extent[1]]
    counts = np.array(classes.counts, dtype=float)
    is_far, mimics = is_far_and_mimics
    healthy = (labels >= 0) & is_far[: extent[0], : extent[1]]
    mimics = np.where(healthy, mimics[: extent[0], : extent[1]], 0).astype(np.int32)
    return SourceSlice(
        pyramid=pyramid,
        position=position,
        width=shape[1],
        pixels=tuple(p.astype(np.int32) for p in classes.pixels),
        classes=labels,
        weights=counts / [max(len(p), 1) for p in classes.pixels],
        counts=counts,
        healthy=healthy,
        mimics=mimics if mimics.any() else None,
    )


def _pixels_before_end(nearest: IndexArray, resolution_mm: float) -> int:
    """Leading working pixels whose nearest at a resolution is not past its grid's end.

    The last may have theirs there and take another, out of step with the ones before; a block
    that held them would need grids of its own.
    """
    size = len(nearest)
    return int((nearest == nearest_pixel(size, resolution_mm, available=2**31)).sum())

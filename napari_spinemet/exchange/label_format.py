"""What NIfTI and TIFF have in common: a file holds one kind, and files belong together by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ..dicom.files.sources import Source
from ..errors import SpinemetError
from ..imaging import SagittalSeries
from .contour_sets import ContourSets
from .label_files import LabelFile, join_files
from .label_names import guessed_kind, kind_of, stem_of, without_kind


class LabelFileFormat(ABC):
    """Finds and reads label files; a format adds how one file is loaded, and how it is written."""

    suffixes: tuple[str, ...]

    @abstractmethod
    def load(self, path: Path, series: SagittalSeries, kind: str | None = None) -> LabelFile:
        """Read one file onto the grid of the series.

        Parameters
        ----------
        path : Path
            The file.
        series : SagittalSeries
            Nothing is resampled onto it: labels that do not lie on its grid are an error.
        kind : str, optional
            ``"lesions"`` or ``"vertebrae"``, where the name does not say it.
        """

    def stem_of(self, path: Path) -> str:
        """What the names of the files begin with that are written to a path."""
        return without_kind(path)

    def find_files(self, path: Path) -> list[Source]:
        """A file of this format, or all those in a folder and in the folders inside it."""
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [
            Source(file)
            for file in files
            if file.name.lower().endswith(self.suffixes)
            and (file == path or not file.name.startswith("."))
            and file.is_file()
        ]

    def read_files(
        self, sources: Sequence[Source], series: SagittalSeries, kind: str | None
    ) -> ContourSets:
        """Read files that lie together; those with one stem are one set.

        Parameters
        ----------
        sources : sequence of Source
            At least one.
        series : SagittalSeries
            The one whose contours are looked for.
        kind : str or None
            ``"lesions"`` or ``"vertebrae"``, for a single file whose name does not say it; of
            several each must say its own.

        Raises
        ------
        SpinemetError
            If none of several files says by its name what it holds.
        """
        paths = [source.path for source in sources]
        sets = ContourSets()
        groups: dict[tuple[Path, str], list[Path]] = {}
        if len(paths) == 1:
            groups[paths[0].parent, ""] = paths
        else:
            kind = None
            for path in paths:
                if guessed_kind(path):
                    groups.setdefault((path.parent, stem_of(path)), []).append(path)
                else:
                    # A scan may lie beside its labels, and only its name tells it from them.
                    sets.refusals.append(
                        SpinemetError(
                            f"{path.name} tells neither lesions nor vertebrae by its name."
                        )
                    )
            if not groups:
                kind_of(paths[0], None)  # the sentence about a name that does not say it
        for group in groups.values():
            try:
                files = [self.load(path, series, kind) for path in group]
                annotation = join_files(files, series)
            except SpinemetError as error:
                sets.refusals.append(error)
                continue
            is_of_other_series = any(file.is_of_other_series for file in files)
            sets.add(annotation, is_of_other_series=is_of_other_series)
        return sets

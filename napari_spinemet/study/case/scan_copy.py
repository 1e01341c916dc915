"""Copies of scans: the folder of a new case."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...dicom.companions import find_companions
from ...dicom.reading import plain_files, source_images
from ...errors import SpinemetError
from ...imaging import SagittalSeries, SeriesSummary
from .scan import BESIDE_FOLDER
from .warnings_file import write_warnings


def copy_scan(source: Path, series: SagittalSeries, case_folder: Path) -> None:
    """Copy the images of a series into the folder of a new case, which appears when it is whole.

    Parameters
    ----------
    source : Path
        Folder, file or zip that holds the series; it is only read.
    series : SagittalSeries
        As read from there. What it warns of is kept with the copy, which looks whole by itself.
    case_folder : Path
        To be made: in a folder that exists and takes files.

    Raises
    ------
    SpinemetError
        If the images cannot be read or written; then nothing is left of them.
    """
    partial = case_folder.with_name(f".{case_folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        (partial / "scan").mkdir(parents=True)
        _copy_images(source, series, partial / "scan")
        _copy_companions(source, series, partial / BESIDE_FOLDER)
        write_warnings(partial, series.warnings)
        partial.rename(case_folder)
    except OSError as error:
        raise SpinemetError(
            f"The scan cannot be copied to {case_folder.parent} ({error.strerror}); free some "
            "space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy_companions(source: Path, series: SagittalSeries, folder: Path) -> None:
    """Copy the other series of the examination, each into a folder; one that is damaged is not."""
    for number, companion in enumerate(find_companions([source], series), 1):
        own_folder = folder / f"{number:02d}"
        own_folder.mkdir(parents=True)
        try:
            _copy_images(source, companion.summary, own_folder)
        except SpinemetError:
            shutil.rmtree(own_folder)


def _copy_images(source: Path, series: SagittalSeries | SeriesSummary, folder: Path) -> None:
    """Copy the images of a series, named by their order.

    Files are copied as they are: that is their very bytes, and the system copies them while the
    thread in which somebody draws goes on. To parse and write them would hold that one up. Those
    in a zip, and those that lack the preamble of a DICOM file, are written anew all the same.
    """
    files = plain_files(source, series.series_uid, series.stack)
    for number, file in enumerate(files, 1):
        shutil.copyfile(file, folder / f"IM{number:04d}")
    if files:
        return
    images = source_images(source, series.series_uid, series.stack)
    for number, image in enumerate(images, 1):
        image.save_as(folder / f"IM{number:04d}", enforce_file_format=True)

"""The program from outside: how fast it starts, and how much memory a detection takes.

Run: ``python benchmarks/programs.py``. A real study is used too, where SPINEMET_REAL_DATA
names a folder that holds ``lspine_stir_cc0``. Memory is the largest resident size of the
process, as the system reports it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import generate_uid
from skimage.transform import resize

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe_machine, median_seconds

import napari_spinemet as spinemet

PROGRAM = [sys.executable, "-m", "napari_spinemet.cli"]
HEAVY = ("torch", "napari", "qtpy", "PyQt5", "PyQt6", "scipy", "skimage")


def imported() -> dict[str, int]:
    """Microseconds of each module that importing the package imports, its own included."""
    command = [sys.executable, "-X", "importtime", "-c", "import napari_spinemet"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in lines[1:]]
    return {name.strip(): int(own) for own, _, name in rows if own.strip().isdigit()}


def run(*arguments: str) -> tuple[float, float]:
    """Seconds and largest resident megabytes of one run of the program."""
    started = time.perf_counter()
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"spinemet {' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def large_series(folder: Path) -> Path:
    """A series of 30 slices of 1024 x 1024 pixels of 0.35 mm, from a phantom's images."""
    (case,) = spinemet.make_cohort(folder / "cohort", cases=1, generator=2)
    images = [pydicom.dcmread(path) for path in sorted((case / "scan").iterdir())]
    out, series = folder / "large", generate_uid()
    out.mkdir()
    first = np.array(images[0].ImagePositionPatient, dtype=float)
    step = np.array(images[1].ImagePositionPatient, dtype=float) - first
    for index in range(30):
        source = images[index * len(images) // 30]
        image = deepcopy(source)
        pixels = resize(source.pixel_array, (1024, 1024), preserve_range=True).astype("<i2")
        image.Rows = image.Columns = 1024
        image.PixelSpacing = ["0.35", "0.35"]
        image.PixelData = pixels.tobytes()
        image.ImagePositionPatient = [f"{v:.8f}" for v in first + index * step]
        image.SeriesInstanceUID, image.InstanceNumber = series, index + 1
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.save_as(out / f"IM{index:03d}", enforce_file_format=True)
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(describe_machine())
    modules = imported()
    own = sum(t for name, t in modules.items() if name.split(".")[0] == "napari_spinemet")
    heavy = sorted({name.split(".")[0] for name in modules}.intersection(HEAVY))
    print(
        f"import napari_spinemet: {own / 1000:.1f} ms of our own, heavy imports: {heavy or 'none'}"
    )
    bare = median_seconds(
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), repeats
    )
    data = os.environ.get("SPINEMET_REAL_DATA")
    real = Path(data) / "lspine_stir_cc0" if data else None
    with tempfile.TemporaryDirectory() as temporary:
        large = large_series(Path(temporary))
        for name, scan in (("the real study", real), ("30 slices of 1024 x 1024", large)):
            if scan is None:
                print(f"{name}: set SPINEMET_REAL_DATA to measure it")
                continue
            listing = median_seconds(lambda scan=scan: run("series", str(scan)), repeats)
            print(f"spinemet series, {name}: {listing:.2f} s,", end=" ")
            print(f"ratio to bare Python {listing / bare:.0f}")
            seconds, megabytes = run("detect", str(scan), "--json")
            idle = run("series", str(scan))[1]
            print(
                f"spinemet detect, {name}: {seconds:.1f} s, {megabytes:.0f} MB, "
                f"ratio to listing it {megabytes / idle:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

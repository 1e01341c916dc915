"""Mutated files and folders: reading ends, in bounds of time and memory, and in a sentence.

Thirteen kinds of seed, each a small series in one way of storing it. A run mutates one file of it
at random places, lists and reads the folder, and looks at what comes: a series, or one sentence.
A series with fewer slices than were written must say so. Run it from the repository, since the
seeds are made by the helpers of the tests:

    python benchmarks/reading_faults.py 5000 --messages messages.txt

Prints the numbers of crashes, of slow and of large runs, and of losses in silence; the file gets
every message once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gdcm
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests")]

from dicom_builder import make_enhanced, make_series, make_truth, save, write  # noqa: E402
from machine import describe_machine  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from napari_spinemet.dicom import list_series, read_series  # noqa: E402
from napari_spinemet.errors import SpinemetError  # noqa: E402

MAX_SECONDS = 2.0
MAX_BYTES = 1.5 * 1024**3
SLICES = 9
CHUNK = 20


class Outcome(NamedTuple):
    """What one mutated folder gave."""

    kind: str
    crash: str
    seconds: float
    peak_bytes: int
    lost_in_silence: str
    message: str


def _plain(folder: Path) -> None:
    write(folder, make_series(make_truth()))


def _stored(syntax: str, folder: Path) -> None:
    images = make_series(make_truth())
    for image in images:
        if syntax == ExplicitVRBigEndian:
            pixels = np.frombuffer(image.PixelData, "<u2")
            image.PixelData = pixels.astype(">u2").tobytes()
            image["PixelData"].VR = "OW"
        image.file_meta.TransferSyntaxUID = syntax
    write(folder, images)


def _compressed(syntax: str, folder: Path) -> None:
    images = make_series(make_truth())
    for image in images:
        image.compress(syntax, generate_instance_uid=False)
    write(folder, images)


def _jpeg_2000(folder: Path) -> None:
    for path in write(folder, make_series(make_truth())):
        reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEG2000Lossless))
        assert reader.Read()
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()


def _enhanced(syntax: str, folder: Path) -> None:
    image = make_enhanced(make_truth())
    if syntax:
        image.compress(syntax, generate_instance_uid=False)
    save(image, folder / "enhanced")


def _enhanced_slices(folder: Path) -> None:
    for k in range(SLICES):
        image = make_enhanced(make_truth(), order=[k], name=f"slice-{k}")
        image.SeriesInstanceUID = generate_uid(entropy_srcs=["enhanced", "series"])
        save(image, folder / f"{k:03d}")


def _without_preamble(folder: Path) -> None:
    for path in write(folder, make_series(make_truth())):
        path.write_bytes(path.read_bytes()[132:])


def _padded(folder: Path) -> None:
    images = make_series(make_truth())
    for image in images:
        image.PixelPaddingValue = 0
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = "0.5", "-100", "US"
    write(folder, images)


SEEDS: dict[str, Callable[[Path], None]] = {
    "explicit": _plain,
    "implicit": partial(_stored, ImplicitVRLittleEndian),
    "big endian": partial(_stored, ExplicitVRBigEndian),
    "deflated": partial(_stored, DeflatedExplicitVRLittleEndian),
    "RLE": partial(_compressed, RLELossless),
    "JPEG-LS": partial(_compressed, JPEGLSLossless),
    "JPEG 2000": _jpeg_2000,
    "enhanced": partial(_enhanced, ""),
    "enhanced RLE": partial(_enhanced, RLELossless),
    "enhanced JPEG-LS": partial(_enhanced, JPEGLSLossless),
    "enhanced, a file a slice": _enhanced_slices,
    "without preamble": _without_preamble,
    "padding and rescale": _padded,
}


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a file somewhere, mostly in its header, in one of eight ways."""
    result = bytearray(content)
    header = max(min(len(result), 2500), 1)
    at = int(rng.integers(0, header if rng.random() < 0.8 else len(result)))
    way = rng.integers(8)
    if way == 0:
        for place in rng.integers(0, header, int(rng.integers(1, 12))):
            result[place] = int(rng.integers(256))
    elif way == 1:
        result[at] ^= 1 << int(rng.integers(8))
    elif way == 2:
        del result[at:]
    elif way == 3:
        del result[at : at + int(rng.integers(1, 200))]
    elif way == 4:
        result[at:at] = rng.bytes(int(rng.integers(1, 200)))
    elif way == 5:
        result[at : at + 4] = rng.choice(
            [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0", b"\xff\xff\xff\x7f"]
        )
    elif way == 6:
        size = int(rng.integers(1, 400))
        result[at : at + size] = bytes(len(result[at : at + size]))
    else:
        digits = [m.start() for m in re.finditer(rb"\d", bytes(result[:header]))]
        for place in rng.choice(digits or [0], min(len(digits), 3)):
            result[place] = int(rng.choice(list(b"0123456789-.eE\\ ")))
    return bytes(result)


def _processor_seconds() -> float:
    """Of this process and of those that it has waited for, which unpack pixels."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak(reset: bool = False) -> int:
    """Most memory that the process has held since the last reset, in bytes."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


def try_one(seeds: Path, number: int) -> Outcome:
    """Mutate one file of one seed, and read the folder."""
    rng = np.random.default_rng([20261128, number])
    names = list(SEEDS)
    kind = names[number % len(names)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "scan"
        shutil.copytree(seeds / kind, folder)
        files = sorted(p for p in folder.iterdir())
        victim = files[int(rng.integers(len(files)))]
        victim.write_bytes(mutate(victim.read_bytes(), rng))
        crash = silence = message = ""
        _peak(reset=True)
        start_time = _processor_seconds()
        try:
            list_series(folder)
            series = read_series(folder)
            if len(series.voxels) < SLICES and not series.warnings:
                silence = f"{kind} {number}: {len(series.voxels)} slices"
            message = " | ".join(series.warnings)
        except SpinemetError as error:
            message = str(error)
        except Exception:  # noqa: BLE001  which is what is looked for
            crash = f"{kind} {number}: {traceback.format_exc()}"
        seconds = _processor_seconds() - start_time
        peak = max(_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        return Outcome(kind, crash, seconds, peak, silence, message.replace(temporary, ""))


def try_all(seeds: Path, numbers: Sequence[int], processes: int) -> list[Outcome]:
    """Try many; a process that dies is a crash, and the others go on."""
    outcomes: list[Outcome] = []
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    context = multiprocessing.get_context("spawn")
    while chunks:
        batch, chunks = chunks[: 10 * processes], chunks[10 * processes :]
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            futures = [(chunk, pool.submit(_try_chunk, seeds, chunk)) for chunk in batch]
            for chunk, future in futures:
                try:
                    outcomes.extend(future.result())
                except BrokenProcessPool:
                    outcomes.extend(_try_alone(seeds, chunk[0]) if len(chunk) == 1 else ())
                    chunks.extend([n] for n in chunk if len(chunk) > 1)
    return outcomes


def _try_chunk(seeds: Path, numbers: Sequence[int]) -> list[Outcome]:
    return [try_one(seeds, number) for number in numbers]


def _try_alone(seeds: Path, number: int) -> list[Outcome]:
    """In a process of its own: whether it is this one that kills it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_try_chunk, seeds, [number]).result()
        except BrokenProcessPool:
            kind = list(SEEDS)[number % len(SEEDS)]
            return [Outcome(kind, f"{kind} {number}: the process died", 0.0, 0, "", "")]


def _general(message: str) -> str:
    """A message without what differs by the file."""
    text = re.sub(r"'[^']*'", "'...'", message)
    text = re.sub(r"\b\d{6,}\b|\b0\d{2}\b", "FILE", text)
    return re.sub(r"-?\d[\d.,e+]*", "N", text)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--messages", type=Path)
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as temporary:
        seeds = Path(temporary)
        for name, make in SEEDS.items():
            make(seeds / name)
        numbers = range(arguments.first, arguments.first + arguments.count)
        outcomes = try_all(seeds, numbers, arguments.processes)
    crashes = [o.crash for o in outcomes if o.crash]
    slow = [o for o in outcomes if o.seconds > MAX_SECONDS]
    large = [o for o in outcomes if o.peak_bytes > MAX_BYTES]
    silent = [o.lost_in_silence for o in outcomes if o.lost_in_silence]
    for text in (*crashes[:5], *silent[:20]):
        print(text)
    print(f"{len(outcomes)} mutated folders of {len(SEEDS)} kinds: {len(crashes)} crashes,")
    print(
        f"{len(slow)} over {MAX_SECONDS:g} s of processor time (at most "
        f"{max(o.seconds for o in outcomes):.2f} s),"
    )
    print(
        f"{len(large)} over 1.5 GB (at most {max(o.peak_bytes for o in outcomes) / 2**20:.0f} MB),"
    )
    print(f"{len(silent)} slices lost in silence")
    messages = Counter(_general(o.message) for o in outcomes if o.message)
    if arguments.messages is not None:
        lines = [f"{count:5} {text}" for text, count in messages.most_common()]
        arguments.messages.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""``spinemet demo``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..counts import count_of
from ..disclaimer import DISCLAIMER
from .terminal import console, progress


def demo(
    out_folder: Annotated[
        Path, typer.Option("--out", help="Folder for pictures and report.")
    ] = Path("demo-output"),
    headless: Annotated[bool, typer.Option(help="No window, even with a display.")] = False,
) -> None:
    """Run the main job on the sample study with the shipped model."""
    if not headless and _has_display():
        from ..gui.application import run_demo

        run_demo()
        return
    from ..workflows.demo import run_demo_headless

    with progress("demo") as job:
        report = run_demo_headless(out_folder, job=job)
    console.print(report["learned_from"], soft_wrap=True)
    for case in report["cases"]:
        console.print(
            f"{case['case']}: {count_of(case['findings'], 'finding')}, {case['contoured_regions']} "
            f"contoured regions, {case['seconds']:.1f} s"
        )
    console.print(f"Pictures and report: {out_folder}")
    console.print(DISCLAIMER)


def _has_display() -> bool:
    """Whether a window can be opened; asked of a child, since Qt aborts where it cannot."""
    if sys.platform in ("win32", "darwin"):
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    probe = "from qtpy.QtGui import QGuiApplication; QGuiApplication([])"
    trial = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    if trial.returncode:
        console.print("No window can be opened on this display; going on without one.")
    return trial.returncode == 0

"""Dialogs that answer themselves; for ``random_hands.py``, where nobody sits before the window."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox


def answer_dialogs(rng: random.Random, study: Path, scans: list[Path]) -> None:
    """Questions get random answers; file dialogs give something of the study, or nothing.

    Parameters
    ----------
    rng : random.Random
    study : Path
    scans : list of Path
    """
    buttons = QMessageBox.StandardButton
    answers = (buttons.Cancel, buttons.Discard, buttons.Save, buttons.Yes, buttons.Close)

    def question(*_: Any, **__: Any) -> Any:
        return rng.choice(answers)

    QMessageBox.question = staticmethod(question)
    out = Path(tempfile.mkdtemp())
    QFileDialog.getExistingDirectory = staticmethod(
        lambda *_, **__: str(rng.choice([study, *scans, out, ""]))
    )
    QFileDialog.getOpenFileName = staticmethod(lambda *_, **__: (str(rng.choice([*scans, ""])), ""))
    QFileDialog.getSaveFileName = staticmethod(
        lambda *_, **__: (
            str(out / f"out{rng.randrange(9)}.nii.gz") if rng.random() < 0.7 else "",
            "NIfTI (*.nii.gz)",
        )
    )
    QDesktopServices.openUrl = staticmethod(lambda *_: True)
    QInputDialog.getText = staticmethod(
        lambda *_, **__: (rng.choice(["Dr. Random", "", "Ünal"]), rng.random() < 0.7)
    )

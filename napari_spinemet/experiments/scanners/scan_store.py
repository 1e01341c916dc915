"""What one scan of the exam took long to make: its map, and what is known of it.

Kept, so that another operating point of the same network needs neither again.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...atomic_files import replace_atomically
from ...evaluation.lesion_scores import Truth
from ...imaging import Annotation, LikelihoodMap
from ...study.likelihood_maps import load_likelihood_map, save_likelihood_map


def save_scan(folder: Path, name: str, likelihood: LikelihoodMap, truth: Truth) -> None:
    """Write both; the truth last, by which a scan is whole.

    Parameters
    ----------
    folder : Path
    name : str
        Of the scan.
    likelihood : LikelihoodMap
        Not aggregated.
    truth : Truth
    """
    save_likelihood_map(likelihood, folder / f"{name}.npz")
    annotation = truth.annotation
    rest = {
        "levels": {str(label): level for label, level in annotation.levels.items()},
        "facts": [dict(each) for each in truth.facts],
        "ignored_labels": list(truth.ignored_labels),
    }
    path = folder / f"{name}.truth.npz"
    with replace_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            lesions=annotation.lesions,
            vertebrae=annotation.vertebrae,
            rest=np.array(json.dumps(rest)),
        )


def load_scan(folder: Path, name: str) -> tuple[LikelihoodMap, Truth] | None:
    """Read both; None if they are not there.

    Parameters
    ----------
    folder : Path
    name : str
        Of the scan.
    """
    path = folder / f"{name}.truth.npz"
    likelihood = load_likelihood_map(folder / f"{name}.npz") if path.exists() else None
    if likelihood is None:
        return None
    with np.load(path, allow_pickle=False) as arrays:
        rest = json.loads(str(arrays["rest"]))
        annotation = Annotation(
            arrays["lesions"],
            arrays["vertebrae"],
            {int(label): level for label, level in rest["levels"].items()},
            likelihood.series_uid,
        )
    return likelihood, Truth(annotation, rest["facts"], tuple(rest["ignored_labels"]))

"""What is known of a synthetic lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SITES = ("body", "pedicle", "posterior", "epidural", "paravertebral")
"""Where a lesion sits: vertebral body; pedicle and facet; arch and process; canal; beside."""
KINDS = ("lytic", "mixed", "sclerotic", "soft mass", "diffuse")
"""Of bone destroyed, both, of new bone (dark on every image), outside bone, all marrow."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """One diseased segment.

    Attributes
    ----------
    level : str
        The vertebra.
    mask : numpy.ndarray
        ``(slice, row, column)`` bool: where lesion fills at least half of the voxel.
    contrast : float
        How far of the way from marrow to cerebrospinal fluid its intensity lies; below 0 where
        it is darker than marrow.
    site : str
        See :data:`SITES`.
    kind : str
        See :data:`KINDS`.
    is_fractured : bool
        Whether the body broke.
    """

    level: str
    mask: npt.NDArray[np.bool_]
    contrast: float
    site: str = "body"
    kind: str = "lytic"
    is_fractured: bool = False


def describe_lesions(lesions: Sequence[Lesion]) -> list[dict[str, object]]:
    """What ``case.json`` says of them.

    Parameters
    ----------
    lesions : sequence of Lesion
    """
    return [
        {
            "level": lesion.level,
            "contrast": round(lesion.contrast, 3),
            "site": lesion.site,
            "kind": lesion.kind,
            "fractured": lesion.is_fractured,
        }
        for lesion in lesions
    ]

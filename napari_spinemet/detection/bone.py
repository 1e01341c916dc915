"""Where bone is, by a network that tells lesion and normal vertebra apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEAST_VERTEBRA = 0.15
"""What is less likely vertebra than this, and lesion for certain, may be a bright organ."""


def bone_likelihood(
    lesion: npt.NDArray[np.float32], vertebra: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The likelihood of bone, healthy or not: a network that doubts which of both it is sees bone.

    Where vertebra is all but ruled out it stays that of vertebra: an organ in front of the spine is
    called lesion for certain, and would be taken for bone.

    Parameters
    ----------
    lesion, vertebra : numpy.ndarray
        Likelihoods, of any shape.

    Returns
    -------
    numpy.ndarray
        Of that shape, in [0, 1].
    """
    both = np.minimum(lesion + vertebra, 1)
    return np.asarray(np.where(vertebra > LEAST_VERTEBRA, both, vertebra), dtype=np.float32)

"""Batches of densely evaluated blocks.

In the dense form neighbouring windows share almost all of their work: a lattice of working
pixels is evaluated at once, and every pixel of it that may be drawn counts with the weight it
has in the paper's sampling. Its spacing lets poolings keep their stride, so that a block costs
a few windows and says what a sample of its neighbourhood would say in the mean: neighbours a
millimetre apart add work and little else. A block is drawn as one around a sampled location,
that is in proportion to the weight it holds, and its loss is the weighted mean over it; the
expected loss is that of the sampled windows, except that blocks which would stick out of the
slice are moved in, so that what lies next to its border counts a little less.

Beside these, a share of the blocks is drawn in the same way where the network was found to be
wrong (:mod:`.hard_negatives`).
"""

from .block_batches import BlockBatch, BlockBatches
from .lattice import lattice_spacing
from .slices import IMAGE_DTYPE

__all__ = ["IMAGE_DTYPE", "BlockBatch", "BlockBatches", "lattice_spacing"]

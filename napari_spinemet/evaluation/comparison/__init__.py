"""Two systems on the same cases: how far their curves lie apart, and how sure that is."""

from .compare import FpComparison, FrocComparison, compare_fp_at, compare_froc

__all__ = ["FpComparison", "FrocComparison", "compare_fp_at", "compare_froc"]

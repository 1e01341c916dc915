"""Case-based cross-validation (paper, section 3.2), in memory and of a study."""

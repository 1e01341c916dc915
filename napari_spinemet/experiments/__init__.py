"""The paper, run again: its comparisons on a synthetic cohort, and its figures from a study."""

"""What every window, report and picture says."""

DISCLAIMER = "Research use only. Not for clinical diagnosis."

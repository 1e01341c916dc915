"""What every window, report and picture says."""

NOTICE = "Research use only. Not for clinical diagnosis."

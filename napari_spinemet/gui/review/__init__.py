"""Review: the threshold, the outlines, the findings with their verdicts, the live FROC."""

"""Load: choose a scan, see what is in it, open it, keep it in a study."""

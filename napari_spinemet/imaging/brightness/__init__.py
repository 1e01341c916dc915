"""What the values of a scan say: their range, their normalisation, the level of marrow."""

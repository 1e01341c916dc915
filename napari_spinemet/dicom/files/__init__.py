"""The files that hold scans: in folders and archives, listed and parsed within bounds."""

"""What the scanner makes of a patient: coil, sequence, artefacts, noise."""

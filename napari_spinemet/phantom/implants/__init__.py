"""Lesions put into real scans, for trials on real anatomy."""

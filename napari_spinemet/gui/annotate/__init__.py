"""Annotate: contours of lesions and vertebrae as label layers."""

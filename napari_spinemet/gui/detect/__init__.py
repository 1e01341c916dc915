"""Detect: run a model on the open series into image layers."""

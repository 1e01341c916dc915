"""The ``spinemet`` command: one file a family of commands."""

from .app import main

__all__ = ["main"]

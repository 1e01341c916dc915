"""The one kind of error that a person can mend."""

from __future__ import annotations


class SpinemetError(Exception):
    """Something the user can put right; its text is one sentence that says how.

    The command line prints the sentence and ends with status 2, the GUI shows it as a
    notification. Anything else that is raised is a fault of the program.
    """


class OutOfMemory(SpinemetError):
    """A device or the computer has too little memory; less at a time may do."""


class Cancelled(SpinemetError):
    """A long computation was stopped on request; what was there before is as it was."""

"""The one kind of error that a person can mend, and a check that many share."""

from __future__ import annotations


class SpinemetError(Exception):
    """Something the user can put right; its text is one sentence that says how.

    The command line prints the sentence and ends with status 2, the GUI shows it as a
    notification. Anything else that is raised is a fault of the program.
    """


def check_seed(seed: int) -> None:
    """Refuse a seed that random generators cannot take.

    Raises
    ------
    SpinemetError
        If it is below 0.
    """
    if seed < 0:
        raise SpinemetError(f"A seed is 0 or more, not {seed}.")


class OutOfMemory(SpinemetError):
    """A device or the computer has too little memory; less at a time may do."""


class Cancelled(SpinemetError):
    """A long computation was stopped on request; what was there before is as it was."""

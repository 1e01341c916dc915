"""The ``spinemet`` command: its families of commands, and how it ends."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import TyperException

from ..disclaimer import DISCLAIMER
from ..errors import Cancelled, SpinemetError
from ..jobs.openmp import prepare_own_process
from .benchmark import benchmark
from .cohort import implant, phantom
from .demo import demo
from .detection import detect, series
from .export import export_commands
from .froc import froc
from .reproduction import reproduce
from .study import study_commands
from .terminal import OUR_FAULT, USER_CAN_MEND
from .training import adapt, crossval, train

_INTERRUPT_STATUS = 130
"""What Typer gives for Ctrl-C."""

app = typer.Typer(
    help=f"Detect spinal metastases on MRI. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# In this order they stand in the help.
for command in (
    demo,
    series,
    detect,
    froc,
    benchmark,
    phantom,
    implant,
    train,
    adapt,
    crossval,
    reproduce,
):
    app.command()(command)
app.add_typer(study_commands, name="study", no_args_is_help=True)
app.add_typer(export_commands, name="export", no_args_is_help=True)


def main() -> None:
    """Run the command; a failure is one sentence and an exit status."""
    prepare_own_process()  # before a command imports torch
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if status == _INTERRUPT_STATUS:
            raise KeyboardInterrupt
        if isinstance(status, int) and status:
            raise SystemExit(status)
    except TyperException as error:
        _fail(f"{str(error).rstrip('.')}. See 'spinemet --help'.", USER_CAN_MEND)
    except (typer.Abort, KeyboardInterrupt):
        _fail("Stopped.", USER_CAN_MEND)
    except Cancelled:
        _fail("Stopped; what was there before is as it was.", USER_CAN_MEND)
    except SpinemetError as error:
        _fail(str(error), USER_CAN_MEND)
    except BrokenPipeError:
        # Who read our output has gone; Python must not complain when it flushes the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        if os.environ.get("SPINEMET_DEBUG"):
            raise
        _fail(
            f"The program failed ({type(error).__name__}: {error}); this is its fault, please "
            "report it (SPINEMET_DEBUG=1 shows where).",
            OUR_FAULT,
        )


def _fail(sentence: str, status: int) -> None:
    print(" ".join(sentence.split()), file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()

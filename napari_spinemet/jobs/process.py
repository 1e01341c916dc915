"""A job in a process of its own: its memory goes when it ends, and its crash is not ours.

The child is this Python with this module, not a copy of the program that starts it, so that
no window is opened twice. It may use all cores, and gives way to whoever else wants them.
Both ends speak over two pipes in lines of JSON (:mod:`.plain_data`). The parent says one line, the
function and its arguments; the child answers events and, last, its result or its error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from .. import errors
from ..errors import Cancelled, SpinemetError
from .allocator import keep_freed_memory
from .cancellation import CancelToken
from .context import UNATTENDED, JobContext
from .events import Event, event_from_dict, event_to_dict
from .openmp import prepare_own_process
from .plain_data import to_json_line

_POLL_S = 0.05
_GRACE_S = 120.0
"""A cancelled child that has not ended by then is killed.

It first has to come to its next poll: on a busy computer the imports alone take half a minute.
"""
_STDERR_TAIL = 2000
"""Bytes of what the child printed that are kept, to say why it ended."""
_NICENESS = 5
"""Beside a program that wants a core as well a child gets a quarter of it; alone, all."""


def run_in_process(
    function: str,
    arguments: Mapping[str, Any],
    *,
    job: JobContext = UNATTENDED,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call a function in another process and give what it returns.

    Parameters
    ----------
    function : str
        ``"package.module:name"``; it takes ``job`` beside the arguments.
    arguments : mapping
        By name; plain data, as :func:`.to_json_line` takes it. So is the result.
    job : JobContext
        Hears the events of the function, in the calling thread; where its token is raised, that of
        the function is raised too.
    environment : mapping, optional
        Variables for the child beside our own.

    Returns
    -------
    object
        Plain data; what the function gave as a tuple is a list.

    Raises
    ------
    TypeError
        If the arguments or the result are not plain data.
    SpinemetError
        What the function raised, or that the process ended without a result.
    RuntimeError
        If the memory was full or torch failed: which it was is for the caller to tell.
    Cancelled
        If the token was raised.
    """
    request = to_json_line({"function": function, "arguments": dict(arguments)}, "the call")
    with _Child(environment or {}, job) as child:
        answer = child.ask(request)
    if answer is None:
        job.raise_if_cancelled()
        raise SpinemetError(child.describe_end())
    if "error" in answer:
        raise _error_from_dict(answer["error"])
    return answer["result"]


class _Child:
    """The other process, with a thread that hears its stderr and one that watches the token."""

    def __init__(self, environment: Mapping[str, str], job: JobContext) -> None:
        self._job = job
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._stderr: IO[bytes] = self._process.stderr
        self._tail: list[bytes] = []
        self._listener = threading.Thread(target=self._hear_stderr, daemon=True)
        self._is_answered = threading.Event()
        self._watcher = threading.Thread(target=self._pass_cancellation_on, daemon=True)

    def __enter__(self) -> _Child:
        self._listener.start()
        return self

    def ask(self, request: bytes) -> dict[str, Any] | None:
        """Report the events that come; gives the last answer, None if the child fell silent."""
        with suppress(BrokenPipeError):
            self._stdin.write(request)
            self._stdin.flush()
        self._watcher.start()
        for line in self._stdout:
            try:
                answer: dict[str, Any] = json.loads(line)
            except ValueError:  # half a line: it died while it spoke
                return None
            if "event" not in answer:
                return answer
            self._job.report(event_from_dict(answer["event"]))
        return None

    def __exit__(self, *_: object) -> None:
        self._is_answered.set()
        with suppress(OSError):
            self._stdin.close()  # in case it was we who gave up
        if self._process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._listener.join(1)
        for pipe in (self._stdin, self._stdout, self._stderr):
            with suppress(OSError):
                pipe.close()

    def describe_end(self) -> str:
        """Why it may have ended without an answer, in a sentence."""
        lines = b"".join(self._tail).decode(errors="replace").strip().splitlines()
        hint = f" ({lines[-1]})" if lines else ""
        return (
            f"The process that did the work ended without a word, status "
            f"{self._process.returncode}{hint}; it was stopped from outside or ran out of memory. "
            "Go on from where it was with Resume."
        )

    def _hear_stderr(self) -> None:
        while part := self._stderr.read1(4096):  # type: ignore[attr-defined]
            self._tail.append(part)
            while sum(map(len, self._tail)) > _STDERR_TAIL and len(self._tail) > 1:
                self._tail.pop(0)

    def _pass_cancellation_on(self) -> None:
        """Close the pipe of a child that is to stop; where that is not heard, end it."""
        while not self._is_answered.wait(_POLL_S):
            if self._job.cancel.is_cancelled:
                with suppress(OSError, ValueError):
                    self._stdin.close()
                if not self._is_answered.wait(_GRACE_S):
                    self._process.kill()
                return


def _run_child() -> None:
    """What the child does."""
    if sys.platform != "win32":  # where the parent has said so when it started this
        os.nice(_NICENESS)  # before there are other threads, which would keep theirs
    keep_freed_memory()
    prepare_own_process()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever prints must not disturb the pipe.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lock, token = threading.Lock(), CancelToken()

    def send(answer: dict[str, Any]) -> None:
        line = to_json_line(answer, "the answer")
        with lock, suppress(BrokenPipeError):  # events may come from several threads
            channel.write(line)
            channel.flush()

    def report(event: Event) -> None:
        send({"event": event_to_dict(event)})

    call = json.loads(sys.stdin.buffer.readline())

    def listen() -> None:
        # The parent says nothing more: that it closes the pipe, or is gone, means to stop.
        sys.stdin.buffer.read()
        token.cancel()

    threading.Thread(target=listen, daemon=True).start()
    send(_answer(call["function"], call["arguments"], JobContext(report, token)))
    channel.close()
    # What still runs here has nothing to say any more.
    os._exit(0)


def _answer(function: str, arguments: dict[str, Any], job: JobContext) -> dict[str, Any]:
    """Call the function; its result or its error as plain data."""
    module, name = function.split(":")
    try:
        result = getattr(import_module(module), name)(**arguments, job=job)
    except (SpinemetError, Cancelled) as error:
        return {"error": _error_to_dict(error)}
    except BaseException as error:  # noqa: BLE001 - a process must not end in silence
        traceback.print_exc()
        return {"error": _error_to_dict(_known_error(error))}
    answer = {"result": result}
    try:
        to_json_line(result, f"The result of {function}")
    except TypeError as error:
        return {"error": _error_to_dict(error)}
    return answer


def _known_error(error: BaseException) -> Exception:
    """An error as the parent can read it, whose own kind it may not know."""
    if isinstance(error, (RuntimeError, MemoryError)):
        return RuntimeError(f"{type(error).__name__}: {error}")
    text = " ".join(str(error).split())
    return SpinemetError(
        f"The program failed ({type(error).__name__}: {text}); this is its fault, please report it."
    )


def _error_to_dict(error: Exception) -> dict[str, str]:
    return {"class": type(error).__name__, "sentence": str(error)}


def _error_from_dict(values: Mapping[str, str]) -> Exception:
    """Of the class that the child named, if it is one of ours or of the two that we pass on."""
    builtin: dict[str, type[Exception]] = {"RuntimeError": RuntimeError, "TypeError": TypeError}
    name = values["class"]
    kind = builtin.get(name) or getattr(errors, name, None)
    return (kind or SpinemetError)(values["sentence"])


if __name__ == "__main__":
    _run_child()

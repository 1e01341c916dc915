"""A job in a process of its own: its memory goes when it ends, and its crash is not ours.

The child is this Python with this module, not a copy of the program that starts it, so that
no window is opened twice. It may use all cores, and gives way to whoever else wants them.
Both ends speak over two pipes; what they send each other are pickles, which only these two
processes can write to.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from ..errors import Cancelled, SpinemetError
from .allocator import keep_freed_memory
from .cancellation import CancelToken
from .events import EventCallback, ignore

_POLL_S = 0.05
_GRACE_S = 20.0
"""A cancelled child that has not ended by then is killed."""
_LAST_WORDS = 2000
_NICENESS = 5
"""Beside a program that wants a core as well a child gets a quarter of it; alone, all."""


def run_in_process(
    function: str,
    arguments: Mapping[str, Any],
    *,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call a function of this package in another process and give what it returns.

    Parameters
    ----------
    function : str
        ``"package.module:name"``; it takes ``on_event`` and ``cancel`` beside the arguments.
    arguments : mapping
        By name; they and the result are pickled.
    on_event : callable, optional
        Hears the events of the function, in the calling thread.
    cancel : CancelToken, optional
        Raised, it is raised there too.
    environment : mapping, optional
        Variables for the child beside our own.

    Raises
    ------
    SpinemetError
        What the function raised, or that the process ended without a result.
    Cancelled
        If the token was raised.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    words: list[bytes] = []
    listener = threading.Thread(target=_keep_last_words, args=(child.stderr, words), daemon=True)
    listener.start()
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(child, cancel, over), daemon=True)
    try:
        with suppress(BrokenPipeError):
            pickle.dump((function, dict(arguments)), child.stdin)
            child.stdin.flush()
        watcher.start()
        while True:
            try:
                kind, value = pickle.load(child.stdout)
            except (EOFError, pickle.UnpicklingError):
                break
            if kind == "event":
                on_event(value)
            elif kind == "result":
                return value
            else:
                raise value
    finally:
        over.set()
        with suppress(OSError):
            child.stdin.close()  # in case it was we who gave up
        if child.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_S)
        if child.poll() is None:
            child.kill()
            child.wait()
        listener.join(1)
        for pipe in (child.stdin, child.stdout, child.stderr):
            with suppress(OSError):
                pipe.close()
    if cancel is not None:
        cancel.raise_if_cancelled()
    told = b"".join(words).decode(errors="replace").strip().splitlines()
    why = f" ({told[-1]})" if told else ""
    raise SpinemetError(
        f"The process that did the work ended without a word, status {child.returncode}{why}; it "
        "was stopped from outside or ran out of memory. Go on from where it was with Resume."
    )


def _watch(
    child: subprocess.Popen[bytes], cancel: CancelToken | None, over: threading.Event
) -> None:
    """Pass a cancellation on; where it is not heard, end the child."""
    while not over.wait(_POLL_S):
        if cancel is not None and cancel.cancelled:
            with suppress(OSError, ValueError):
                assert child.stdin is not None
                child.stdin.close()
            if not over.wait(_GRACE_S):
                child.kill()
            return


def _keep_last_words(pipe: IO[bytes], words: list[bytes]) -> None:
    while part := pipe.read1(4096):  # type: ignore[attr-defined]
        words.append(part)
        while sum(map(len, words)) > _LAST_WORDS and len(words) > 1:
            words.pop(0)


def _child() -> None:
    """What the child does."""
    if sys.platform != "win32":  # where the parent has said so when it started this
        os.nice(_NICENESS)  # before there are other threads, which would keep theirs
    keep_freed_memory()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever prints must not disturb the pipe.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lock, token = threading.Lock(), CancelToken()

    def send(kind: str, value: Any) -> None:
        with lock, suppress(BrokenPipeError):
            pickle.dump((kind, value), channel)
            channel.flush()

    function, arguments = pickle.load(sys.stdin.buffer)

    def listen() -> None:
        # The parent says nothing more: that it closes the pipe, or is gone, means to stop.
        sys.stdin.buffer.read()
        token.cancel()

    threading.Thread(target=listen, daemon=True).start()
    module, name = function.split(":")
    try:
        call = getattr(import_module(module), name)
        result = call(**arguments, on_event=lambda event: send("event", event), cancel=token)
    except (SpinemetError, Cancelled) as error:
        send("error", error)
    except BaseException as error:  # noqa: BLE001 - a process must not end in silence
        traceback.print_exc()
        send("error", _plain(error))
    else:
        send("result", result)
    channel.close()
    # What still runs here has nothing to say any more.
    os._exit(0)


def _plain(error: BaseException) -> BaseException:
    """An error as the parent can read it, whose own kind it may not know."""
    if isinstance(error, (RuntimeError, MemoryError)):
        return RuntimeError(f"{type(error).__name__}: {error}")
    text = " ".join(str(error).split())
    return SpinemetError(
        f"The program failed ({type(error).__name__}: {text}); this is its fault, please report it."
    )


if __name__ == "__main__":
    _child()

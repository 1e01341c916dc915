"""Which slots the interface has, and which were reached; ``random_hands.py`` prints both."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import napari_spinemet

GUI = Path(napari_spinemet.__file__).parent / "gui"


def slots_of_interface() -> set[tuple[str, str]]:
    """(file, name) of every method that a signal or a button can call."""
    slots = set()
    for path in GUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and _is_slot(part):
                    slots.add((str(path), part.name))
    return slots


def _is_slot(function: ast.FunctionDef) -> bool:
    """By its name: what happens to a widget, and what a button does."""
    is_property = any("property" in ast.dump(each) for each in function.decorator_list)
    arguments = [a.arg for a in function.args.args[1:]]
    needed = len(arguments) - len(function.args.defaults)
    return not is_property and (
        function.name.startswith("_on_") or (needed == 0 and not function.name.startswith("__"))
    )


def watch_slots() -> set[tuple[str, str]]:
    """(file, name) of every function of the interface that was called; it grows from now on."""
    reached: set[tuple[str, str]] = set()
    seen_codes: set[CodeType] = set()
    prefix = str(GUI)

    def profile(frame: Any, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code not in seen_codes:
            seen_codes.add(code)
            if code.co_filename.startswith(prefix):
                reached.add((code.co_filename, code.co_name))

    sys.setprofile(profile)
    return reached

"""What was typed is kept between runs, in napari's own plugin preferences."""

from __future__ import annotations

from typing import Any

PLUGIN = "napari-spinemet"


def preference(group: str, key: str) -> Any:
    """A value of the manifest's ``configurations``."""
    from napari.settings import get_plugin_settings

    return getattr(getattr(get_plugin_settings(PLUGIN), group), key)


def keep(group: str, **values: Any) -> None:
    """Store values; only those that changed are written."""
    from napari.settings import get_plugin_settings

    section = getattr(get_plugin_settings(PLUGIN), group)
    for key, value in values.items():
        if getattr(section, key) != value:
            setattr(section, key, value)

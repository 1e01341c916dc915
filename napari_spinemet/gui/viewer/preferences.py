"""What was typed is kept between runs, in napari's own plugin preferences."""

from __future__ import annotations

from typing import Any, Protocol

PLUGIN = "napari-spinemet"


class Preferences(Protocol):
    """Values in groups, as the manifest's ``configurations`` names them."""

    def get(self, group: str, key: str) -> Any:
        """A value.

        Parameters
        ----------
        group, key : str
            Both must be in the manifest.
        """

    def store(self, group: str, **values: Any) -> None:
        """Keep values for the next run.

        Parameters
        ----------
        group : str
            Must be in the manifest.
        **values
            By key; of the type that the manifest says.
        """


class NapariPreferences:
    """Those that napari shows in its own window of preferences, and writes to its file."""

    def get(self, group: str, key: str) -> Any:
        """A value.

        Parameters
        ----------
        group, key : str
            Both must be in the manifest.
        """
        return getattr(_section(group), key)

    def store(self, group: str, **values: Any) -> None:
        """Keep values for the next run; only those that changed are written.

        Parameters
        ----------
        group : str
            Must be in the manifest.
        **values
            By key; of the type that the manifest says.
        """
        section = _section(group)
        for key, value in values.items():
            if getattr(section, key) != value:
                setattr(section, key, value)


def _section(group: str) -> Any:
    from napari.settings import get_plugin_settings

    return getattr(get_plugin_settings(PLUGIN), group)

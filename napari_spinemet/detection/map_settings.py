"""How a likelihood map is computed, as one value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import SpinemetError
from ..imaging.evaluated_region import KINDS, SPINE

ENGINES = ("auto", "dense", "patch")


@dataclass(frozen=True)
class MapSettings:
    """Engine, step, columns, device and precision of a likelihood map.

    Attributes
    ----------
    engine : {"auto", "dense", "patch"}
        ``auto`` is dense for the dense form and patch for the patch form, which has no
        dense evaluation.
    stride : int
        Evaluate every so-many-th pixel and fill bilinearly between them.
    columns : {"spine", "centre", "all"}
        A corridor along the spine, which a coarse look over the whole width finds
        (:mod:`.corridor`); the central half of the columns, as in the paper; or the whole width.
    device : str
        ``"auto"``, ``"cpu"``, or a torch device.
    precision : {"float32", "float16", "bfloat16", "auto"}
        What is multiplied; see :func:`~napari_spinemet.network.devices.choose_detection_dtype`.

    Raises
    ------
    SpinemetError
        If the engine, the stride or the columns are none of these.
    """

    engine: str = "auto"
    stride: int = 1
    columns: str = SPINE
    device: str = "auto"
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise SpinemetError(f"The engine is auto, dense or patch, not '{self.engine}'.")
        if self.stride < 1:
            raise SpinemetError(f"The stride is at least 1, not {self.stride}.")
        if self.columns not in KINDS:
            raise SpinemetError(f"Columns are {', '.join(KINDS)}, not '{self.columns}'.")

    def engine_for(self, form: str) -> str:
        """The engine, ``"dense"`` or ``"patch"``, for a network of a form.

        Raises
        ------
        SpinemetError
            If the form has no such engine.
        """
        if self.engine == "dense" and form != "dense":
            raise SpinemetError(
                "This model has the patch form, which has no dense evaluation; use the engine "
                "'patch'."
            )
        return "patch" if self.engine == "patch" or form == "patch" else "dense"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


DEFAULT_MAP_SETTINGS = MapSettings()

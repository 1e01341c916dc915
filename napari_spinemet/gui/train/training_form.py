"""The settings of a training, as a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from ...number_lists import numbers_in
from ..viewer.common_widgets import form
from ..viewer.preferences import keep, preference

if TYPE_CHECKING:
    from ...training import TrainingConfig

MINUTES, EPOCHS = "minutes", "epochs"
_GROUP = "training"


class TrainingForm(QWidget):
    """Name, time and device; all else under a heading that opens.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        main = (
            _field("name", "Name", "Name of the model that is made."),
            _field(
                "minutes",
                "Minutes",
                "How long all of it may take, with the choice of the operating point.",
                min=1,
                max=10_000,
                step=5,
            ),
            _field(
                "start",
                "Starts from",
                "A model of the same resolutions and outputs to train further, or nothing.",
                choices=[],
            ),
            _field(
                "device", "Device", "What computes; auto takes a graphics card where there is one."
            ),
        )
        more = (
            _field(
                "stop",
                "Ends after",
                "The minutes above, or the epochs below.",
                choices=[("the minutes above", MINUTES), ("the epochs below", EPOCHS)],
            ),
            _field("epochs", "Epochs", "Measurements of the validation error.", min=1, max=1000),
            _field("batches", "Batches an epoch", "Training steps each.", min=1, max=100_000),
            _field(
                "batch_size",
                "Samples a batch",
                "Fewer take less memory and learn less steadily.",
                min=8,
                max=4096,
            ),
            _field(
                "rate",
                "Learning rate",
                "Largest step; 'auto' for what suits the method of training.",
            ),
            _field(
                "penalty",
                "Lambda",
                "Penalty on large weights, as in the paper. Several values, parted by commas, are "
                "tried one after the other, and the one with the lowest validation error is kept.",
            ),
            _field(
                "resolutions",
                "Resolutions",
                "mm a pixel, parted by commas; the paper's are 0.5, 1, 2.",
            ),
            _field(
                "form",
                "Form",
                "Dense is hundreds of times faster; patch is the paper's.",
                choices=["dense", "patch"],
            ),
            _field(
                "outputs",
                "Tells apart",
                "With normal vertebrae the model knows where the spine is; without, it needs no "
                "vertebra contours.",
                choices=[("lesion, bone, the rest", 3), ("lesion or not", 2)],
            ),
            _field(
                "process",
                "Own process",
                "Train in a process of its own: on all cores, giving way to other programs; a "
                "graphics card's memory is given back at the end, and a crash does not touch this "
                "window. Without, it begins sooner and leaves one core free.",
            ),
        )
        self.fields = {field.name: field for field in (*main, *more)}
        layout.addWidget(_rows(main))
        self.fold = QCollapsible("More settings", expandedIcon="▾", collapsedIcon="▸")
        self.fold.setToolTip("Settings that seldom need a change.")
        self.fold.addWidget(_rows(more))
        layout.addWidget(self.fold)
        for field in self.fields.values():
            field.changed.connect(lambda *_: self._on_changed())
        self._on_changed()

    def values(self) -> dict[str, Any]:
        """What stands in the form."""
        return {name: field.value for name, field in self.fields.items()}

    def set(self, **values: Any) -> None:
        """Put values into the form."""
        for name, value in values.items():
            self.fields[name].value = value

    def keep(self) -> None:
        """Remember the values for the next time."""
        keep(_GROUP, **self.values())

    def offer_devices(self, offered: list[tuple[str, str]]) -> None:
        """Show what the computer has."""
        device = self.fields["device"]
        chosen, known = device.value, [name for name, _ in offered]
        device.choices = [(words, name) for name, words in offered]
        device.value = chosen if chosen in known else known[0]

    def offer_models(self, offered: list[tuple[str, str]]) -> None:
        """Show which models, by label and place, training can start from."""
        start = self.fields["start"]
        chosen, known = start.value, ["", *(place for _, place in offered)]
        start.choices = [("nothing", ""), *offered]
        start.value = chosen if chosen in known else ""

    def config(self) -> tuple[TrainingConfig, list[float]]:
        """The settings of the run, and all weight decays to try.

        Raises
        ------
        SpinemetError
            If something in the form is no number or out of range.
        """
        from ...training import TrainingConfig

        v = self.values()
        decays = [2 * value for value in numbers_in(v["penalty"], "Lambda")]
        rate = (
            None if v["rate"].strip() in ("", "auto") else numbers_in(v["rate"], "Learning rate")[0]
        )
        config = TrainingConfig(
            form=v["form"],
            resolutions=tuple(numbers_in(v["resolutions"], "Resolutions")),
            outputs=v["outputs"],
            epochs=v["epochs"],
            batches_per_epoch=v["batches"],
            batch_size=v["batch_size"],
            learning_rate=rate,
            weight_decay=decays[0],
            device=v["device"],
        )
        return config, decays if len(decays) > 1 else []

    @property
    def minutes(self) -> float | None:
        """The time limit; None where the epochs decide."""
        v = self.values()
        return float(v["minutes"]) if v["stop"] == MINUTES else None

    def _on_changed(self) -> None:
        by_time = self.fields["stop"].value == MINUTES
        self.fields["minutes"].enabled = by_time
        self.fields["epochs"].enabled = not by_time
        self.changed.emit()


def _field(name: str, label: str, tip: str, **options: Any) -> Any:
    value = preference(_GROUP, name)
    if name in ("device", "start"):  # what else there is becomes known later
        options["choices"] = [value]
    return create_widget(value=value, name=name, label=label, options={"tooltip": tip, **options})


def _rows(fields: Sequence[Any]) -> QWidget:
    """The fields below each other, their labels in a column."""
    holder, layout = form()
    for field in fields:
        if isinstance(field.native, QComboBox):  # else its longest entry widens the panel
            field.native.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            field.native.setMinimumContentsLength(8)
        # A tick has its words beside it.
        layout.addRow("" if field.widget_type == "CheckBox" else field.label, field.native)
    return holder

"""The settings of a training, as a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from ...number_lists import parse_numbers
from ..viewer.common_widgets import form
from ..viewer.controls.number_entry import WholeNumberBox
from ..viewer.preferences import Preferences

if TYPE_CHECKING:
    from ...training import TrainingConfig

MINUTES, EPOCHS = "minutes", "epochs"
_GROUP = "training"


@dataclass(frozen=True)
class _Setting:
    """One line of the form.

    Attributes
    ----------
    name : str
        Its key among the preferences.
    label, tip : str
    options : mapping
        Limits or choices, as magicgui takes them.
    """

    name: str
    label: str
    tip: str
    options: Mapping[str, Any] = field(default_factory=dict)


MAIN_SETTINGS = (
    _Setting("name", "Name", "Name of the model that is made."),
    _Setting(
        "minutes",
        "Minutes",
        "How long all of it may take, with the choice of the operating point.",
        {"min": 1, "max": 10_000, "step": 5},
    ),
    _Setting(
        "start",
        "Starts from",
        "A model of the same resolutions and outputs to train further, or nothing.",
    ),
    _Setting("device", "Device", "What computes; auto takes a graphics card where there is one."),
)
FURTHER_SETTINGS = (
    _Setting(
        "stop",
        "Ends after",
        "The minutes above, or the epochs below.",
        {"choices": [("the minutes above", MINUTES), ("the epochs below", EPOCHS)]},
    ),
    _Setting("epochs", "Epochs", "Measurements of the validation error.", {"min": 1, "max": 1000}),
    _Setting("batches", "Batches an epoch", "Training steps each.", {"min": 1, "max": 100_000}),
    _Setting(
        "batch_size",
        "Samples a batch",
        "Fewer take less memory and learn less steadily.",
        {"min": 8, "max": 4096},
    ),
    _Setting(
        "rate", "Learning rate", "Largest step; 'auto' for what suits the method of training."
    ),
    _Setting(
        "penalty",
        "Lambda",
        "Penalty on large weights, as in the paper. Several values, parted by commas, are tried "
        "one after the other, and the one with the lowest validation error is kept.",
    ),
    _Setting(
        "resolutions", "Resolutions", "mm a pixel, parted by commas; the paper's are 0.5, 1, 2."
    ),
    _Setting(
        "form",
        "Form",
        "Dense is hundreds of times faster; patch is the paper's.",
        {"choices": ["dense", "patch"]},
    ),
    _Setting(
        "outputs",
        "Tells apart",
        "With normal vertebrae the model knows where the spine is; without, it needs no vertebra "
        "contours.",
        {"choices": [("lesion, bone, the rest", 3), ("lesion or not", 2)]},
    ),
    _Setting(
        "process",
        "Own process",
        "Train in a process of its own: on all cores, giving way to other programs; a graphics "
        "card's memory is given back at the end, and a crash does not touch this window. "
        "Without, it begins sooner and leaves one core free.",
    ),
)


class WholeNumberField:
    """A whole number as a field of the form: magicgui's own takes "2.5" for 25.

    Parameters
    ----------
    setting : _Setting
        With ``min`` and ``max`` among its options.
    value : int
    """

    widget_type = "SpinBox"

    def __init__(self, setting: _Setting, value: int) -> None:
        self.name, self.label = setting.name, setting.label
        self.native = WholeNumberBox()
        self.native.setRange(setting.options["min"], setting.options["max"])
        self.native.setSingleStep(setting.options.get("step", 1))
        self.native.setToolTip(setting.tip)
        self.value = value
        self.changed = self.native.valueChanged

    @property
    def value(self) -> int:
        """What stands in it."""
        return int(self.native.value())

    @value.setter
    def value(self, value: int) -> None:
        self.native.setValue(value)

    @property
    def enabled(self) -> bool:
        """Whether it can be changed."""
        return bool(self.native.isEnabled())

    @enabled.setter
    def enabled(self, is_enabled: bool) -> None:
        self.native.setEnabled(is_enabled)


class TrainingForm(QWidget):
    """Name, time and device; all else under a heading that opens.

    Parameters
    ----------
    preferences : Preferences
        What stood in the form last.

    Signals
    -------
    value_changed()
    """

    value_changed = Signal()

    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self._preferences = preferences
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        main, further = (
            [self._create_field(setting) for setting in settings]
            for settings in (MAIN_SETTINGS, FURTHER_SETTINGS)
        )
        self.fields = {entry.name: entry for entry in (*main, *further)}
        layout.addWidget(_rows(main))
        self.fold = QCollapsible("More settings", expandedIcon="▾", collapsedIcon="▸")
        self.fold.setToolTip("Settings that seldom need a change.")
        self.fold.addWidget(_rows(further))
        layout.addWidget(self.fold)
        for entry in self.fields.values():
            entry.changed.connect(lambda *_: self._on_changed())
        self._on_changed()

    def _create_field(self, setting: _Setting) -> Any:
        value = self._preferences.get(_GROUP, setting.name)
        if isinstance(value, int) and "max" in setting.options:
            return WholeNumberField(setting, value)
        options = {"tooltip": setting.tip, **setting.options}
        if setting.name in ("device", "start"):  # what else there is becomes known later
            options["choices"] = [value]
        return create_widget(value=value, name=setting.name, label=setting.label, options=options)

    def values(self) -> dict[str, Any]:
        """What stands in the form."""
        return {name: entry.value for name, entry in self.fields.items()}

    def set(self, **values: Any) -> None:
        """Put values into the form."""
        for name, value in values.items():
            self.fields[name].value = value

    def store(self) -> None:
        """Remember the values for the next time."""
        self._preferences.store(_GROUP, **self.values())

    def offer_devices(self, devices: list[tuple[str, str]]) -> None:
        """Show what the computer has, by name and label."""
        device = self.fields["device"]
        former, names = device.value, [name for name, _ in devices]
        device.choices = [(label, name) for name, label in devices]
        device.value = former if former in names else names[0]

    def offer_models(self, models: list[tuple[str, str]]) -> None:
        """Show which models, by label and path, training can start from."""
        start = self.fields["start"]
        former, paths = start.value, ["", *(path for _, path in models)]
        start.choices = [("nothing", ""), *models]
        start.value = former if former in paths else ""

    def config(self) -> tuple[TrainingConfig, list[float]]:
        """The settings of the run, and all weight decays to try.

        Raises
        ------
        SpinemetError
            If something in the form is no number or out of range.
        """
        from ...training import TrainingConfig

        v = self.values()
        # The penalty is lambda times the squared weights, whose slope is twice as steep.
        decays = [2 * value for value in parse_numbers(v["penalty"], "Lambda")]
        rate = (
            None
            if v["rate"].strip() in ("", "auto")
            else parse_numbers(v["rate"], "Learning rate")[0]
        )
        config = TrainingConfig(
            form=v["form"],
            resolutions=tuple(parse_numbers(v["resolutions"], "Resolutions")),
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
        self.value_changed.emit()


def _rows(fields: Sequence[Any]) -> QWidget:
    """The fields below each other, their labels in a column."""
    holder, layout = form()
    for entry in fields:
        if isinstance(entry.native, QComboBox):  # else its longest entry widens the panel
            entry.native.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            entry.native.setMinimumContentsLength(8)
        # A tick has its words beside it.
        layout.addRow("" if entry.widget_type == "CheckBox" else entry.label, entry.native)
    return holder

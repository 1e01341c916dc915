"""The controls of an operating point."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QVBoxLayout
from superqt.utils import signals_blocked

from ...errors import SpinemetError
from ...imaging import PAPER_OPERATING_POINT, OperatingPoint
from ...imaging.aggregation import DEFAULT_WEIGHT
from ...imaging.comparison import NO_MODEL, Comparison
from ...network.card import load_card
from ..viewer.common_widgets import button, form, row
from ..viewer.controls.number_entry import NumberBox, NumberSlider
from ..viewer.preferences import Preferences


class OperatingPointPanel(QGroupBox):
    """Threshold, minimum area, aggregation, gate and second look, and how outlines are drawn.

    Parameters
    ----------
    preferences : Preferences
        Say which model was used last, whose operating point is begun with.

    Signals
    -------
    threshold_changed(float)
        Emitted while the slider moves.
    setting_changed()
        Emitted after any other of them, and after all of them were set.
    refined_changed(bool)
        Emitted when outlines shall be fitted to the picture, or no more.
    """

    threshold_changed = Signal(float)
    setting_changed = Signal()
    refined_changed = Signal(bool)

    def __init__(self, preferences: Preferences) -> None:
        super().__init__("Operating point")
        self.model_point = last_used_point(preferences)
        """What the button of the model gives."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        holder, fields = form()
        self.threshold = NumberSlider(0.001, 1.0, 0.01, 3)
        self.threshold.setToolTip("Likelihood from which a pixel belongs to a detection.")
        self.threshold.valueChanged.connect(self.threshold_changed)
        fields.addRow("Threshold", self.threshold)
        self.min_area = _spin(0, 50, 0.5, " cm²", "Smaller detections are dropped.")
        self.weight = _spin(0, 1, 0.05, "", "Weight of the slice itself among its neighbours.")
        self.aggregate_box = QCheckBox("neighbouring slices")
        self.aggregate_box.setToolTip("Average the likelihood over the slices on either side.")
        self.gate = QCheckBox("only within the spine")
        self.gate.setToolTip(
            "Drop detections away from the spine that the model recognised; they are shown dimmed."
        )
        fields.addRow("Minimum area", self.min_area)
        fields.addRow("Aggregate", row(self.aggregate_box, self.weight))
        self.second_look = QCheckBox("compared with other bodies")
        self.second_look.setToolTip(
            "Raise the likelihood of what differs from the patient's own other vertebral bodies, "
            "and lower that of what does not."
        )
        self.refine_box = QCheckBox("fitted outlines")
        self.refine_box.setToolTip(
            "Move each outline to the edge next to it, by 3 mm at most, where the picture is clear "
            "about it; areas and volumes follow. It is done once the threshold rests."
        )
        self.refine_box.toggled.connect(self.refined_changed)
        fields.addRow("Regions", row(self.gate, self.refine_box))
        fields.addRow("Second look", self.second_look)
        layout.addWidget(holder)
        for signal in (
            self.min_area.valueChanged,
            self.weight.valueChanged,
            self.aggregate_box.toggled,
            self.gate.toggled,
            self.second_look.toggled,
        ):
            signal.connect(lambda _: self._on_changed())
        layout.addWidget(
            row(
                button(
                    "Model's own", "The operating point of the model's card.", self.use_model_point
                ),
                button("Paper", "0.6, 5 cm², weight 0.4, no gate, no second look.", self.use_paper),
            )
        )
        self.set_point(self.model_point)

    def point(self) -> OperatingPoint:
        """What the controls say."""
        weight, model_weight = self.weight.value(), self.model_point.weight
        if model_weight is not None and abs(weight - model_weight) < 1e-3:
            weight = model_weight  # one third has more digits than the box
        return OperatingPoint(
            threshold=self.threshold.value(),
            min_area_cm2=self.min_area.value(),
            weight=weight if self.aggregate_box.isChecked() else None,
            gate=self.gate.isChecked(),
            second_look=self.second_look.isChecked(),
        )

    def set_point(self, point: OperatingPoint) -> None:
        """Set all controls, and tell of it once."""
        # The panel's signals only: its controls still follow each other.
        with signals_blocked(self):
            self.threshold.setValue(point.threshold)
            self.min_area.setValue(point.min_area_cm2)
            self.aggregate_box.setChecked(point.weight is not None)
            self.weight.setValue(DEFAULT_WEIGHT if point.weight is None else point.weight)
            self.gate.setChecked(point.gate)
            self.second_look.setChecked(point.second_look)
        self._on_changed()

    def use_model_point(self) -> None:
        """Take the operating point of the model that made the map."""
        self.set_point(self.model_point)

    def use_paper(self) -> None:
        """Take the paper's operating point."""
        self.set_point(PAPER_OPERATING_POINT)

    def allow_gate(self, is_spine_recognised: bool) -> None:
        """Offer the gate only where the model recognised enough of the spine."""
        self.gate.setEnabled(is_spine_recognised)
        self.gate.setText("only within the spine" if is_spine_recognised else "no spine seen")

    def allow_second_look(self, comparison: Comparison | None, *, has_map: bool) -> None:
        """Offer a second look only where the model has one and the bodies can be compared.

        Parameters
        ----------
        comparison : Comparison or None
            Of the map that is shown.
        has_map : bool
            Whether one is.
        """
        is_possible = not has_map or (comparison is not None and comparison.is_possible)
        self.second_look.setEnabled(is_possible)
        if is_possible:
            text = "compared with other bodies"
        elif comparison is None or comparison.reason == NO_MODEL:
            text = "no: this model has none"
        else:
            text = "no: bodies cannot be compared"
        self.second_look.setText(text)

    def _on_changed(self) -> None:
        self.weight.setEnabled(self.aggregate_box.isChecked())
        self.setting_changed.emit()


def last_used_point(preferences: Preferences) -> OperatingPoint:
    """The operating point of the model that was used last, or of the shipped one."""
    for name in (preferences.get("detection", "model"), "default"):
        try:
            return load_card(name).operating_point
        except SpinemetError:
            continue
    return PAPER_OPERATING_POINT


def _spin(low: float, high: float, step: float, suffix: str, tip: str) -> NumberBox:
    spin = NumberBox()
    spin.setRange(low, high)
    spin.setSingleStep(step)
    spin.setDecimals(2 if suffix else 3)
    spin.setSuffix(suffix)
    spin.setToolTip(tip)
    return spin

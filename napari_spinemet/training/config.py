"""The settings of a training run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import SpinemetError, check_seed
from ..imaging.brightness.normalisation import MARROW
from ..imaging.evaluated_region import CENTRE, WHOLE_WIDTH
from .sampling import PAPER_RULE, SamplingRule

if TYPE_CHECKING:
    from ..network import SiameseNet

LEARNING_RATES = {"windows": 0.03, "blocks": 0.02}
"""Peak rates of plain descent that suit each method."""
ADAMW_RATE = 0.001
FORMER_DEFAULTS: tuple[Mapping[str, Any], ...] = (
    {"optimiser": "sgd", "reference": None},
    {"wide_zscore_sigma_mm": None},
    {"case_limit": None},
    {"background": CENTRE, "recoloured_share": 0.0},
)
"""What each version did that could not set it yet, the latest first."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    The defaults are what validated best on two CPU cores; :meth:`paper` gives the paper's
    constants (section 2.3).

    Attributes
    ----------
    form, resolutions, blocks, outputs, patch_shape
        The network, see :class:`~napari_spinemet.network.SiameseNet`.
    zscore_sigma_mm : float
        Window of the dense form's local z-score; far beyond the slice, such as 10,000, it is
        z-scored as a whole.
    wide_zscore_sigma_mm : float or None
        The same for pixels of 2 mm and more; None for the same window.
    reference : {"marrow"} or None
        What images are shares of before they are normalised, see :class:`.LocalZScore`. Of
        networks with three outputs in dense form, which know marrow when they see it.
    normal_slices, vertebra_share, background
        Where normal locations come from, see :class:`~.sampling.SamplingRule`.
    mistaken_share : float
        Share of the blocks that are drawn where the network takes healthy tissue of the training
        cases for a lesion; 0 to draw none. With windows there are none.
    looks : int
        How often in a run, at equal distances but when an epoch begins, that is found out anew.
    epochs : int
        Validation comes after each.
    batches_per_epoch : int or None
        None for as many as it takes to see every sampled location once.
    method : {"blocks", "windows"} or None
        How samples are evaluated, see :mod:`.batches` and :mod:`.blocks`. None for
        blocks with the dense form and windows with the patch form, which has no blocks.
    batch_size : int
        Samples in a batch.
    samples_per_block : int
        For so many samples one block is evaluated; it stands for them in the mean.
    optimiser : {"sgd", "adamw"}
        Stochastic gradient descent with momentum, as in the paper, or AdamW (Loshchilov and
        Hutter 2019).
    learning_rate : float or None
        The peak of the one-cycle schedule, or the constant rate. None for what suits the
        optimiser and the method: 0.001 for AdamW, else 0.03 with windows, 0.02 with blocks.
    schedule : {"one-cycle", "constant"}
        Of the first the last epoch is kept, of the second the one with the lowest error.
    momentum : float
        Of AdamW the first of its two.
    weight_decay : float
        Twice the paper's lambda; on weights of convolutions and fully connected layers.
    clip_norm : float or None
        Largest norm of a step's gradient; keeps a batch of a few blocks, whose pixels agree
        with each other, from throwing the weights off.
    flips : bool
        Left-right and top-bottom, each with probability one half, alike on all resolutions.
    variation : float
        How far blocks are turned, stretched and brightened, see :mod:`.blocks.variation`; 0 for
        not at all. Windows are not.
    recoloured_share : float
        Share of the blocks whose values pass through a random curve and a random field, as wide as
        the variation is, see :mod:`.blocks.recolouring`. Windows do not.
    case_limit : float or None
        Blocks come from one case at most so many times as often as from the median case; None
        to draw every lesion pixel as often as any other. Windows do that.
    patience : int or None
        Stop after so many epochs without a lower validation error.
    seed : int
    precision : {"auto", "float32", "bfloat16"}
        bfloat16 runs the forward pass in mixed precision; auto does so where the device
        multiplies it faster.
    device : str
        ``"auto"``, ``"cpu"`` or a torch device.
    """

    form: str = "dense"
    resolutions: tuple[float, ...] = (0.5, 1.0, 2.0)
    blocks: tuple[int, ...] = (1, 2, 2)
    outputs: int = 3
    patch_shape: tuple[int, int] = (79, 55)
    zscore_sigma_mm: float = 20.0
    wide_zscore_sigma_mm: float | None = None
    reference: str | None = None
    normal_slices: str = "all"
    vertebra_share: float = 0.5
    background: str = WHOLE_WIDTH
    mistaken_share: float = 0.3
    looks: int = 4
    epochs: int = 10
    batches_per_epoch: int | None = 100
    method: str | None = None
    batch_size: int = 128
    samples_per_block: int = 8
    optimiser: str = "sgd"
    learning_rate: float | None = None
    schedule: str = "one-cycle"
    momentum: float = 0.9
    weight_decay: float = 0.001
    clip_norm: float | None = 2.0
    flips: bool = True
    variation: float = 1.0
    recoloured_share: float = 0.5
    case_limit: float | None = 3.0
    patience: int | None = None
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"

    @property
    def batch_blocks(self) -> int:
        """Blocks in a batch."""
        return max(1, self.batch_size // self.samples_per_block)

    @property
    def sampling(self) -> SamplingRule:
        """Where the locations come from."""
        return SamplingRule(self.normal_slices, self.vertebra_share, self.background)

    def __post_init__(self) -> None:
        _ = self.sampling  # refuses a rule that is none
        self._check_numbers()
        check_seed(self.seed)
        self._fill_in()
        self._check_descent()

    def _check_numbers(self) -> None:
        """Refuse counts and shares that make no sense."""
        for name in ("epochs", "batch_size", "samples_per_block", "batches_per_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SpinemetError(f"Training needs {name} of at least 1.")
        for sigma_mm in (self.zscore_sigma_mm, self.wide_zscore_sigma_mm):
            if sigma_mm is not None and not 1 <= sigma_mm < math.inf:
                raise SpinemetError("The window of the local z-score is at least 1 mm, and finite.")
        self._check_reference()
        if not 0 <= self.variation <= 2:
            raise SpinemetError(f"The variation lies between 0 and 2, not {self.variation}.")
        if not 0 <= self.recoloured_share <= 1:
            raise SpinemetError(
                f"The share of recoloured blocks lies between 0 and 1, not {self.recoloured_share}."
            )
        if self.case_limit is not None and not self.case_limit >= 1:
            raise SpinemetError(f"The limit of a case is at least 1, not {self.case_limit}.")
        if not 0 <= self.mistaken_share < 0.5 or self.looks < 0:
            raise SpinemetError(
                "The share of mistaken locations lies below a half, and looks at least 0."
            )

    def _check_reference(self) -> None:
        """Refuse one that is none, or that the network could not find in a scan."""
        if self.reference not in (None, MARROW):
            raise SpinemetError(f"The reference is 'marrow' or none, not '{self.reference}'.")
        if self.reference is None:
            return
        if self.form != "dense" or self.outputs != 3:
            raise SpinemetError(
                "Only a network in dense form with three outputs can find the marrow that images "
                "are compared with; leave the reference out."
            )
        if self.wide_zscore_sigma_mm is not None:
            raise SpinemetError(
                "Shares of marrow are not z-scored in the wide view; leave out its window."
            )

    def _fill_in(self) -> None:
        """Choose what was left open, so that a card says what was done."""
        method = self.method or ("blocks" if self.form == "dense" else "windows")
        if method not in LEARNING_RATES:
            raise SpinemetError(f"The method is 'blocks' or 'windows', not '{method}'.")
        if method == "blocks" and self.form != "dense":
            raise SpinemetError("The patch form is trained on windows; set the method to that.")
        if self.optimiser not in ("sgd", "adamw"):
            raise SpinemetError(f"The optimiser is 'sgd' or 'adamw', not '{self.optimiser}'.")
        changes: dict[str, Any] = {"method": method}
        if self.learning_rate is None:
            rate = LEARNING_RATES[method] if self.optimiser == "sgd" else ADAMW_RATE
            changes["learning_rate"] = rate
        if method == "windows":  # which are neither drawn where the network is wrong nor varied
            changes |= {"mistaken_share": 0.0, "variation": 0.0, "recoloured_share": 0.0}
            changes["case_limit"] = None
        for name, value in changes.items():
            object.__setattr__(self, name, value)  # the class is frozen

    def _check_descent(self) -> None:
        """Refuse a rate, a schedule or a precision that is none."""
        assert self.learning_rate is not None
        if not 0 < self.learning_rate <= 10 or not 0 <= self.weight_decay <= 10:
            raise SpinemetError(
                "The learning rate must be above 0 and at most 10, the weight decay from 0 to 10."
            )
        if self.schedule not in ("one-cycle", "constant"):
            raise SpinemetError(
                f"The schedule is 'one-cycle' or 'constant', not '{self.schedule}'."
            )
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise SpinemetError(
                f"The precision is auto, float32 or bfloat16, not '{self.precision}'."
            )

    @classmethod
    def paper(cls, *, regularisation: float = 0.01, **changes: Any) -> TrainingConfig:
        """The paper's constants: patch form, two outputs, its samples, rate 0.06 throughout.

        Parameters
        ----------
        regularisation : float
            The paper's lambda, half of the weight decay.
        **changes
            Any other field.
        """
        settings: dict[str, Any] = {
            "form": "patch",
            "outputs": 2,
            "normal_slices": PAPER_RULE.normal_slices,
            "vertebra_share": PAPER_RULE.vertebra_share,
            "background": PAPER_RULE.background,
            "learning_rate": 0.06,
            "schedule": "constant",
            "weight_decay": 2 * regularisation,
            "clip_norm": None,
            "method": "windows",
            "batches_per_epoch": None,
            "precision": "float32",
        }
        return cls(**{**settings, **changes})

    def fingerprint_facts(self) -> dict[str, Any]:
        """What a run is recognised by: what is as it was before it could be set is left out."""
        facts = self.to_dict()
        before = {name: value for version in FORMER_DEFAULTS for name, value in version.items()}
        return {k: v for k, v in facts.items() if k not in before or v != before[k]}

    def as_begun(self, is_of: Callable[[TrainingConfig], bool]) -> TrainingConfig:
        """These settings, or what a former version made of them, whichever a run was begun with.

        Parameters
        ----------
        is_of : callable
            Whether the run that is gone on with was begun with some settings.
        """
        versions = [self]
        for former in FORMER_DEFAULTS:
            versions.append(replace(versions[-1], **former))
        return next(filter(is_of, versions), self)

    def starting_from(self, model: SiameseNet) -> TrainingConfig:
        """These settings with the normalisation of a network, whose weights know no other.

        Parameters
        ----------
        model : SiameseNet
            The one to start from.
        """
        normalisation = model.normalisation
        return replace(
            self,
            zscore_sigma_mm=normalisation.sigma_mm,
            wide_zscore_sigma_mm=normalisation.wide_sigma_mm,
            reference=normalisation.reference,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return asdict(self)

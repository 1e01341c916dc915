"""Fixtures that every folder of tests may use; nothing here knows the viewer."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
from cropped_sample import write_cropped_sample
from dicom_builder import Truth, make_truth

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, OperatingPoint, SagittalSeries
from napari_spinemet.phantom.calibrated import case as phantom_case
from napari_spinemet.phantom.calibrated import lesions as phantom_lesions
from napari_spinemet.phantom.patient import case as patient_case
from napari_spinemet.training import validation_error

# Claims, not times: an example that takes long on a busy computer is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

Refused = Callable[..., object]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have most slow tests, so that no core waits for the last one."""
    slow_tests = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow_tests[item.path])


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch sums in one order only with one thread, and leaves the other cores alone."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _lfp_affine(
    spacing_mm: tuple[float, float, float] = (3.0, 1.0, 1.0),
    origin_mm: tuple[float, float, float] = (-18.0, -90.0, 120.0),
) -> npt.NDArray[np.float64]:
    """Affine of an upright sagittal series: slices to the left, rows down, columns back."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) * spacing_mm
    affine[:3, 3] = origin_mm
    return affine


@pytest.fixture
def lfp_affine() -> Callable[..., npt.NDArray[np.float64]]:
    """Build the affine of an upright sagittal series from its spacing."""
    return _lfp_affine


@pytest.fixture
def make_series() -> Callable[..., SagittalSeries]:
    """Build a sagittal series from voxels, or from a shape and a seed."""

    def build(
        voxels: npt.ArrayLike | None = None,
        *,
        shape: tuple[int, int, int] = (3, 48, 52),
        spacing_mm: tuple[float, float, float] = (3.0, 1.0, 1.0),
        seed: int = 0,
        **facts: str,
    ) -> SagittalSeries:
        if voxels is None:
            voxels = np.random.default_rng(seed).normal(200, 40, shape)
        return SagittalSeries(np.array(voxels, dtype=np.float32), _lfp_affine(spacing_mm), **facts)

    return build


@pytest.fixture(scope="session")
def cropped_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample study on a smaller grid; only to be read, or copied."""
    folder = tmp_path_factory.mktemp("sample") / "study"
    write_cropped_sample(folder)
    return folder


@contextmanager
def _thin_phantoms() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom_case, "SLICES", 6)
        patch.setattr(phantom_lesions, "MAX_SLICES", 4)
        patch.setattr(patient_case, "SLICES", (4, 4))
        yield


@pytest.fixture
def thin_phantoms() -> Iterator[None]:
    """Phantoms of 4 or 6 slices, not 9 to 19: for what happens to them, not for what they are."""
    with _thin_phantoms():
        yield


@pytest.fixture(scope="session")
def use_thin_phantoms() -> Callable[[], AbstractContextManager[None]]:
    """The same, for fixtures of a wider scope."""
    return _thin_phantoms


@pytest.fixture
def few_validation_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For runs whose error is compared with another run's, in this process alone."""
    for name in ("BLOCK_BATCHES", "WINDOW_BATCHES"):
        monkeypatch.setattr(validation_error, name, 2)


@pytest.fixture
def small_case() -> tuple[SagittalSeries, Annotation]:
    """Three slices of noise; a bright lesion, inside a vertebra, in the middle one."""
    lesions = np.zeros((3, 40, 44), dtype=np.uint16)
    vertebrae = np.zeros_like(lesions)
    lesions[1, 14:22, 18:26] = 1
    vertebrae[:, 10:30, 14:30] = 1
    noise = np.random.default_rng(1).normal(100, 10, lesions.shape)
    voxels = (noise + 60 * (lesions > 0)).astype(np.float32)
    series = SagittalSeries(voxels, _lfp_affine())
    return series, Annotation(lesions, vertebrae, {1: "L2"})


@pytest.fixture
def quick_model(tmp_path: Path) -> Path:
    """Small random weights whose map varies: for what happens, not for what is found."""
    import torch

    from napari_spinemet.network import ModelCard, SiameseNet, save_model

    torch.manual_seed(0)
    model = SiameseNet((1,), "dense", (1, 1, 1), widths=(4, 4, 8), hidden=8)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    path = tmp_path / "model" / "quick.safetensors"
    card = ModelCard(name="quick", operating_point=OperatingPoint(0.4, 0.5, 0.5, False))
    save_model(model, path, card)
    return path


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; gives status, stdout and stderr."""
    from napari_spinemet import cli

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spinemet", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture(scope="session")
def truth() -> Truth:
    """A series of 9 slices of 32 x 24, oblique by 12 and 7 degrees."""
    return make_truth()


@pytest.fixture
def refused() -> Refused:
    """Expect one sentence that matches a pattern, and no other kind of error."""

    @contextmanager
    def expect(pattern: str = ".") -> Iterator[None]:
        with pytest.raises(SpinemetError, match=pattern) as caught:
            yield
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert not re.search(r"[a-z)]\. [A-Z]", sentence), sentence

    return expect


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """An empty folder for a scan."""
    folder = tmp_path / "scan"
    folder.mkdir()
    return folder

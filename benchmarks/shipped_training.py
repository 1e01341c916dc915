"""How the shipped model is made: its cohorts, its rounds of training, its second look.

Run: ``python benchmarks/shipped_training.py WORK cohorts 1``, then ``... WORK round 1``, the same
for rounds 2 to 6, then ``... WORK look average``: its weights are the mean of those after the
last rounds. Each step goes on where it was cut short. The third and fifth rounds have cohorts
of their own, so that they see other patients. The fourth and sixth see real anatomy beside them:
copies of the CC0 STIR and of the MIT T2 with lesions put in (``SPINEMET_REAL_DATA`` names the
folder of real scans). A round starts from the weights of the one before
(``WORK/round-N.safetensors``); ``--start FILE`` names others, such as the shipped ones. Cohorts are
of localised burden: where all marrow is diseased no body is healthy, and a network that compares
with the level of marrow would learn that any marrow may be a lesion.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from long_runs import tell
from real_anatomy import make_copies

from napari_spinemet.jobs import JobContext
from napari_spinemet.jobs.allocator import keep_freed_memory
from napari_spinemet.network import load_card, load_model, save_model
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows.study_training import StudyTraining, train_study

TRAINING = {
    "life": "--cases 55 --normals 10 --burden localised",
    "life2": "--cases 55 --normals 10 --burden localised",
    "chance": "--variety agnostic --cases 95 --normals 15 --burden localised",
    "former": "--generator 2 --variety training --lesions 5 --cases 40 --normals 6",
}
"""Options of ``spinemet phantom`` for what is learned from; each round has seeds of its own."""
FURTHER = {
    "val": "--variety training --cases 24 --normals 6 --seed 26003 --burden localised",
    "sl-life": "--cases 24 --normals 6 --seed 26007 --burden localised",
    "sl-chance": "--variety agnostic --cases 16 --normals 4 --seed 26008 --burden localised",
    "sl-half": "--cases 14 --seed 26009 --burden half",
    "sl-diffuse": "--cases 14 --seed 26010 --burden diffuse",
    "sl-former": "--generator 2 --cases 8 --normals 2 --seed 26013",
    "ch-life": "--cases 24 --normals 20 --seed 26011 --burden localised",
    "ch-chance": "--variety agnostic --cases 10 --seed 26012 --burden localised",
    "ch-former": "--generator 2 --cases 8 --normals 2 --seed 26014",
}
"""The same for what is not. Seeds are those of no test, and not that of the exam."""
REAL_SCAN = "lspine_stir_cc0/DCMDT"
"""In the folder of real scans."""
IMPLANTS = "--cases 36 --seed 26301 --contrast 0.2 1.0"
"""Options of ``spinemet implant``."""
VALIDATION = "val"
LEARN = ("sl-life", "sl-chance", "sl-half", "sl-diffuse", "sl-former")
CHOOSE = ("ch-life", "ch-chance", "ch-former")
MOST_FALSE = "0.7"
"""False findings a scan at the chosen point; from 1.0, which is asked for, with a margin."""


@dataclass(frozen=True)
class Round:
    """One training.

    Attributes
    ----------
    epochs : int
        Of 200 batches.
    looks : int
    learning_rate : float
    seed : int
    cohorts : mapping of str to str
        Folders of the phantoms that it learns from, and how they are made.
    before : str
        The round whose weights it starts from; none for a start from chance.
    has_real_anatomy : bool
        Whether copies of real scans are among what it learns from.
    """

    epochs: int
    looks: int
    learning_rate: float
    seed: int
    cohorts: Mapping[str, str]
    before: str = ""
    has_real_anatomy: bool = False

    def studies(self) -> list[str]:
        """All folders that it learns from."""
        return [*self.cohorts, *(["cc0", "mit"] if self.has_real_anatomy else [])]

    @property
    def config(self) -> TrainingConfig:
        """Its settings."""
        return TrainingConfig(
            optimiser="adamw",
            reference="marrow",
            batches_per_epoch=200,
            epochs=self.epochs,
            looks=self.looks,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )


CONTOURS = Path(__file__).parents[1] / "tests" / "real" / "lspine_vertebrae.zip"


def _cohorts(seeds: tuple[int, ...]) -> dict[str, str]:
    """Those of :data:`TRAINING`, with a seed for each."""
    return {
        f"{name}-{seed}": f"{options} --seed {seed}"
        for (name, options), seed in zip(TRAINING.items(), seeds, strict=True)
    }


_FIRST, _OTHERS = _cohorts((26001, 26005, 26002, 26006)), _cohorts((26101, 26105, 26102, 26106))
_MORE_FORMER = {
    "former2-26401": "--generator 2 --variety training --lesions 5 --cases 110 --normals 20"
    " --seed 26401"
}
_MORE_LIFE = {"life3-26402": "--cases 95 --normals 15 --burden localised --seed 26402"}
ROUNDS = {
    "1": Round(45, 4, 0.001, 0, _FIRST),
    "2": Round(55, 2, 0.0008, 2, _FIRST, "1"),
    "3": Round(80, 3, 0.0008, 3, _OTHERS, "2"),
    "4": Round(20, 1, 0.0005, 4, _FIRST, "3", has_real_anatomy=True),
    "5": Round(30, 1, 0.0005, 5, _OTHERS, "4"),
    "6": Round(30, 1, 0.0005, 6, _FIRST, "5", has_real_anatomy=True),
    # Pilots of equal length and equally many patients, for what each part is worth.
    "pilot": Round(12, 2, 0.001, 5, _OTHERS),
    "without-physics": Round(
        12, 2, 0.001, 5, {k: v for k, v in _OTHERS.items() if "life" not in k} | _MORE_FORMER
    ),
    "without-agnostic": Round(
        12, 2, 0.001, 5, {k: v for k, v in _OTHERS.items() if "chance" not in k} | _MORE_LIFE
    ),
}


AVERAGE, AVERAGED = "average", ("3", "4", "5", "6")
"""The name of the mean of the weights, and the rounds that it is taken over."""


def make_cohorts(work: Path, name: str, workers: int) -> None:
    """Those of a round, and all that are not learned from; as many at a time as there are cores."""
    cohorts = {**ROUNDS[name].cohorts, **FURTHER}

    def make(folder: str) -> None:
        _run("phantom", work / folder, cohorts[folder])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(make, cohorts))
    if ROUNDS[name].has_real_anatomy:
        _run("implant", _real_scans() / REAL_SCAN, CONTOURS, work / "cc0", IMPLANTS)
        make_copies(work / "mit", _real_scans())


def _run(command: str, *parts: object) -> None:
    """A ``spinemet`` command; texts with spaces are several of its arguments."""
    arguments = [
        a for part in parts for a in ([str(part)] if isinstance(part, Path) else str(part).split())
    ]
    subprocess.run([sys.executable, "-m", "napari_spinemet.cli", command, *arguments], check=True)


def _real_scans() -> Path:
    folder = os.environ.get("SPINEMET_REAL_DATA")
    if not folder:
        raise SystemExit("SPINEMET_REAL_DATA names no folder of real scans; set it first.")
    return Path(folder)


def train(work: Path, name: str, start: Path | None) -> None:
    """One round; it goes on where it was cut short."""
    keep_freed_memory()
    if start is None and ROUNDS[name].before:
        start = _weights_of(work, ROUNDS[name].before)
    first, *others = (work / folder for folder in ROUNDS[name].studies())
    task = StudyTraining(
        first,
        "default",
        further_studies=tuple(others),
        validation_study=work / VALIDATION,
        start=None if start is None else str(start),
        model_path=work / f"round-{name}.safetensors",
        resume=True,
        command=f"benchmarks/shipped_training.py WORK round {name}",
    )
    path, card = train_study(task, ROUNDS[name].config, job=JobContext.of(tell, None))
    print(path, card.operating_point, card.metrics["validation"])


def _weights_of(work: Path, name: str) -> Path:
    return work / f"round-{name}.safetensors"


def average(work: Path) -> Path:
    """The mean of the weights after the last rounds, as in stochastic weight averaging.

    Izmailov et al., 2018. Each round ends at a rate of zero, so their ends are its cycles' ends.
    The card is that of the last: its rounds are all of the others' too.
    """
    files = [_weights_of(work, name) for name in AVERAGED]
    states = [load_model(file).state_dict() for file in files]
    model = load_model(files[-1])
    model.load_state_dict(
        {
            name: (
                torch.stack([state[name] for state in states]).mean(dim=0)
                if value.is_floating_point()
                else value
            )
            for name, value in states[-1].items()
        }
    )
    card = load_card(files[-1])
    training = {**card.training, "averaged": f"Weights after rounds {', '.join(AVERAGED)}"}
    out = work / f"{AVERAGE}.safetensors"
    # What was measured of the last round's weights says nothing of these.
    save_model(model, out, replace(card, training=training, metrics={}))
    return out


def fit_second_look(work: Path, model: Path, out: Path, *, without: bool) -> None:
    """Second look, unless without, and operating point, see ``benchmarks/second_look.py``."""
    script = Path(__file__).with_name("second_look.py")
    learn, choose = ([str(work / name) for name in names] for names in (LEARN, CHOOSE))
    options = ["--choose", *choose, "--work", str(work / "maps"), "--false", MOST_FALSE]
    options += ["--without"] if without else ["--learn", *learn]
    subprocess.run(
        [sys.executable, str(script), str(model), *options, "--out", str(out)], check=True
    )


def main() -> None:
    """One step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("step", choices=("cohorts", "round", "look"))
    parser.add_argument("name", choices=[*ROUNDS, AVERAGE], help="Of the round.")
    parser.add_argument("--start", type=Path)
    parser.add_argument("--without", action="store_true", help="A point, and no second look.")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.name == AVERAGE and options.step != "look":
        parser.error(f"{AVERAGE} is taken over rounds that were run: give it to look.")
    if options.step == "cohorts":
        make_cohorts(options.work, options.name, options.workers)
    elif options.step == "round":
        train(options.work, options.name, options.start)
    else:
        is_average = options.name == AVERAGE
        model = average(options.work) if is_average else _weights_of(options.work, options.name)
        fit_second_look(
            options.work,
            model,
            options.work / f"look-{options.name}.safetensors",
            without=options.without,
        )


if __name__ == "__main__":
    main()

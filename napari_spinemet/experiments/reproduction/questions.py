"""What is asked of the rows of a reproduction, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...evaluation.comparison import compare_fp_at, compare_froc
from ...jobs import JobContext
from .plan import AGAIN_SUFFIX, MAIN, PATCH, SINGLE
from .rows import (
    BOTH_TRAININGS,
    FIRST_TRAINING,
    PAPER_SETTINGS,
    SECOND_TRAINING,
    VALIDATED_SETTINGS,
    Question,
    Row,
)

N_RESAMPLES = 20_000
SUBSET = f"{MAIN} subset"
"""Key of the main system on the cases that the patch form has maps of."""


@dataclass(frozen=True)
class _Query:
    """A question before it is answered: keys of the two rows."""

    text: str
    training: str
    a: str
    b: str


_OF_EACH_TRAINING = (
    ("Do three resolutions beat one?", (MAIN, ""), (SINGLE, "")),
    ("Does aggregation help three resolutions?", (MAIN, ""), (MAIN, " plain")),
    ("Does aggregation help one resolution?", (SINGLE, ""), (SINGLE, " plain")),
    # At each kind of settings a system has one of the two rows, beside its own.
    ("Does the gate help three resolutions?", (MAIN, " with gate"), (MAIN, "")),
    ("Does the gate help three resolutions?", (MAIN, ""), (MAIN, " no gate")),
    ("Does the gate help one resolution?", (SINGLE, " with gate"), (SINGLE, "")),
    ("Does the gate help one resolution?", (SINGLE, ""), (SINGLE, " no gate")),
)
"""Text, and system with the word behind it of both rows."""
_OF_BOTH_TRAININGS = (
    ("How far apart are two trainings of three resolutions?", MAIN),
    ("How far apart are two trainings of one resolution?", SINGLE),
)
_OF_ONE_TRAINING = (
    ("0.5, 1, 2 mm against 0.25, 1, 1.25 mm", MAIN, "quarter"),
    ("0.5, 1, 2 mm against 0.5, 1, 1.5 mm", MAIN, "half"),
    ("79 x 55 against smaller patches, one resolution", SINGLE, "one-small"),
    ("79 x 55 against larger patches, one resolution", SINGLE, "one-large"),
    ("Local z-score against one of the whole slice", MAIN, "zscore-slice"),
    ("Blocks of (1, 2, 2) against (1, 1, 1) convolutions", MAIN, "blocks-111"),
    ("Dense form against patch form, on the same cases", SUBSET, PATCH),
)


def _queries() -> Iterator[_Query]:
    """All questions: those of two trainings beside each other, and their spread after them."""
    for text, (one, one_word), (other, other_word) in _OF_EACH_TRAINING:
        for training, suffix in ((FIRST_TRAINING, ""), (SECOND_TRAINING, AGAIN_SUFFIX)):
            yield _Query(text, training, one + suffix + one_word, other + suffix + other_word)
    for text, key in _OF_BOTH_TRAININGS:
        yield _Query(text, BOTH_TRAININGS, key, key + AGAIN_SUFFIX)
    for text, one, other in _OF_ONE_TRAINING:
        yield _Query(text, FIRST_TRAINING, one, other)


def answer_questions(rows: Sequence[Row], job: JobContext) -> list[Question]:
    """The comparisons whose rows are both there, by settings.

    Parameters
    ----------
    rows : sequence of Row
    job : JobContext
        Polled at every comparison.
    """
    row_of = {(row.key, row.settings): row for row in rows}
    result = []
    for settings in (PAPER_SETTINGS, VALIDATED_SETTINGS):
        for query in _queries():
            a, b = row_of.get((query.a, settings)), row_of.get((query.b, settings))
            if a is None or b is None or len(a.curve.cases) < 2:
                continue
            job.raise_if_cancelled()
            area = compare_froc(a.curve, b.curve, n_resamples=N_RESAMPLES)
            fp = compare_fp_at(a.curve, b.curve, n_resamples=N_RESAMPLES)
            result.append(
                Question(query.text, query.training, settings, a.title, b.title, area, fp)
            )
    return result

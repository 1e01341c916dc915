"""What a model has learned from, and whether it was measured on patients, in one sentence.

It says what the card tells and no more. Every round of training counts: that of the model, that of
the model it started from, and so on. No torch is needed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import SpinemetError
from .card import ModelCard, load_card, model_names, scans_trained_on

NOTHING_KNOWN = (
    "It is not known from what the model has learned, nor whether it was measured on patients."
)
"""Where there is no card."""
OUT_OF_FOLD = (
    "By cross-validation: each scan is judged by a network that has learned from other scans of "
    "the same study."
)
"""Of maps that a cross-validation made."""

SYNTHETIC, IMPLANTS, OWN, UNKNOWN = "synthetic", "implants", "own", "unknown"
"""Kinds of scans: phantoms, synthetic lesions in real scans, a user's study, and no word of it."""
_ORIGINS = {"phantom": SYNTHETIC, "implants": IMPLANTS}
"""What ``cohort.json`` of a study begins with; studies of users have none."""
_PLURALS = {
    SYNTHETIC: "synthetic ones",
    IMPLANTS: "copies of real scans with synthetic lesions",
    OWN: "ones of a user's study",
    UNKNOWN: "ones of unknown origin",
}
_NAMED_SCANS = 3
"""So many real scans are named: the sentence stays one that is read."""


def provenance_sentence(card: ModelCard) -> str:
    """What a model has learned from, and whether it was measured on patients.

    Parameters
    ----------
    card : ModelCard
        Its ``training`` may name the real scans among its cases in ``real_scans``, a list of one
        short description for each.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> from napari_spinemet.network import ModelCard
    >>> phantoms = {"phantom": {"cases": 20, "normals": 4, "seed": 1}}
    >>> card = ModelCard(training={"cases": 24, "data": [phantoms], "validation_data": phantoms})
    >>> provenance_sentence(card)
    'The model has learned from 24 synthetic scans; its card tells of no measurement on patients.'
    """
    scans = _scans_of(card.training)
    parts = _phrases(scans)
    if parts:
        clause = f"The model has learned from {_enumerate(parts)}"
    else:
        clause = "It is not known from what the model has learned"
    return f"{clause}; {_measurement_clause(card, scans)}."


def scans_learned_from(training: Mapping[str, Any]) -> int | None:
    """How many scans a model has learned from in all rounds.

    Parameters
    ----------
    training : mapping
        Of its card.

    Returns
    -------
    int or None
        None where the card does not tell it of every round.
    """
    scans = _scans_of(training)
    return None if scans.is_incomplete else scans.total


@dataclass(frozen=True)
class _Round:
    """One training, as its card tells it."""

    data: str
    """Origins of its studies, as they are written."""
    origins: tuple[str, ...]
    """The same of each study."""
    kinds: tuple[str, ...]
    """Of the scans of each study."""
    shares: tuple[int, ...]
    """Cases of each study that were learned from; empty where that is not told."""
    cases: int | None
    fingerprints: frozenset[str]
    """Of its scans and of those of earlier rounds."""
    copied_scans: frozenset[str]
    """Marks of the real scans that lesions were put into."""
    real_scans: Counter[str]

    @property
    def kinds_learned_from(self) -> tuple[str, ...]:
        """Each once; real scans that are named are none of an unnamed user's."""
        shares = self.shares or (1,) * len(self.kinds)
        present = {kind for kind, share in zip(self.kinds, shares, strict=True) if share}
        if self.real_scans:
            present = present - {OWN, UNKNOWN} or present
        return tuple(kind for kind in _PLURALS if kind in present)


@dataclass
class _Scans:
    """All scans that a model has learned from."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """By kind; by several kinds where it is not told how many are of which."""
    real_scans: Counter[str] = field(default_factory=Counter)
    copied_scans: set[str] = field(default_factory=set)
    """Marks of the real scans that lesions were put into."""
    _cohorts: set[str] = field(default_factory=set)
    """Origins of synthetic studies that were counted."""
    is_incomplete: bool = False
    """Whether the card tells nothing of a round."""

    @property
    def total(self) -> int:
        return self.counts.total() + self.real_scans.total()

    def add(self, training: _Round, new: int) -> None:
        """Count scans of a round that no earlier one had."""
        former_count = self.real_scans.total()
        # A scan that is named in two rounds is one scan.
        self.real_scans |= training.real_scans
        new = max(0, new - (self.real_scans.total() - former_count))
        kinds = training.kinds_learned_from
        shares = [
            (kind, share)
            for kind, share, origin in zip(
                training.kinds, training.shares, training.origins, strict=False
            )
            # The same cohort has the same scans.
            if kind in kinds and origin not in self._cohorts
        ]
        self._cohorts |= {
            origin
            for kind, origin in zip(training.kinds, training.origins, strict=True)
            if kind in _ORIGINS.values()
        }
        self.copied_scans |= training.copied_scans
        if len(kinds) > 1 and sum(share for _, share in shares) == new:
            for kind, share in shares:
                self.counts[kind,] += share
        else:
            self.counts[kinds] += new


def _scans_of(training: object) -> _Scans:
    rounds, fingerprints, cohorts = _rounds(training), set[str](), dict[str, int]()
    scans = _Scans(is_incomplete=not rounds)
    for entry in rounds:
        if entry.fingerprints:
            new = len(entry.fingerprints - fingerprints)
            fingerprints |= entry.fingerprints
        elif entry.cases is None:
            scans.is_incomplete, new = True, 0
        elif set(entry.kinds) == {SYNTHETIC}:
            # Cards of the first models have no fingerprints; the same cohort has the same scans.
            former = cohorts.get(entry.data, 0)
            new = max(0, entry.cases - former)
            cohorts[entry.data] = former + new
        else:
            new = entry.cases
        scans.add(entry, new)
    return scans


def _rounds(training: object) -> list[_Round]:
    """The first training comes first."""
    rounds: list[_Round] = []
    while isinstance(training, Mapping):
        rounds.append(_round_of(training))
        training = training.get("started_from")
    return rounds[::-1]


def _round_of(training: Mapping[str, Any]) -> _Round:
    """A card is a file that anybody may have written: nothing in it is taken for granted."""
    data, cases = training.get("data"), training.get("cases")
    shares = _list_of(training, "cases_by_study")
    kinds = tuple(map(_kind_of, data)) if isinstance(data, list) and data else (UNKNOWN,)
    fits = len(shares) == len(kinds) and all(map(_is_count, shares))
    try:
        fingerprints = scans_trained_on(training)
    except (AttributeError, TypeError):
        fingerprints = frozenset()
    return _Round(
        _as_text(data),
        tuple(map(_as_text, data)) if isinstance(data, list) and data else (_as_text(data),),
        kinds,
        tuple(shares) if fits else (),
        cases if _is_count(cases) else None,
        fingerprints,
        frozenset(_copied_scans(data)),
        # On one line, whatever was typed.
        Counter(" ".join(str(name).split()) for name in _list_of(training, "real_scans")),
    )


def _as_text(origin: object) -> str:
    return json.dumps(origin, sort_keys=True, default=str)


def _copied_scans(data: object) -> Iterator[str]:
    """Nothing for a study that does not tell it."""
    for origin in data if isinstance(data, list) else ():
        facts = origin.get("implants") if isinstance(origin, Mapping) else None
        if isinstance(facts, Mapping) and facts.get("scan"):
            yield str(facts["scan"])


def _list_of(training: Mapping[str, Any], key: str) -> list[Any]:
    value = training.get(key)
    return value if isinstance(value, list) else []


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _kind_of(origin: object) -> str:
    if not isinstance(origin, Mapping):
        return UNKNOWN
    return next((_ORIGINS.get(str(key), UNKNOWN) for key in origin), OWN)


def _phrases(scans: _Scans) -> list[str]:
    """What a model has learned from, kind by kind."""
    parts = []
    order = list(_PLURALS)
    for kinds in sorted(scans.counts, key=lambda kinds: [order.index(kind) for kind in kinds]):
        if scans.counts[kinds]:
            parts.append(_phrase(kinds, scans.counts[kinds], len(scans.copied_scans)))
    if scans.real_scans:
        names = list(scans.real_scans)
        others = ["others"] if len(names) > _NAMED_SCANS else []
        count = scans.real_scans.total()
        noun = "real one" if scans.counts.total() else "real scan"
        parts.append(f"{_many(count, noun)} ({_enumerate([*names[:_NAMED_SCANS], *others])})")
    if scans.is_incomplete and parts:
        parts.append("others of which its card tells nothing")
    return parts


def _phrase(kinds: Sequence[str], count: int, real_scan_count: int) -> str:
    """So many scans of these kinds; of how many real scans there are copies, where it is told."""
    if len(kinds) > 1:
        return f"{_many(count, 'scan')} ({_enumerate([_PLURALS[kind] for kind in kinds])})"
    if kinds[0] == SYNTHETIC:
        return _many(count, "synthetic scan")
    if kinds[0] == IMPLANTS:
        if count == 1:
            return "1 copy of a real scan with a synthetic lesion"
        number = f"{real_scan_count} " if real_scan_count > 1 else ""
        return f"{count} copies of {number}real scans with synthetic lesions"
    source = "a user's study" if kinds[0] == OWN else "unknown origin"
    return f"{_many(count, 'scan')} of {source}"


def _measurement_clause(card: ModelCard, scans: _Scans) -> str:
    """Whether it was measured on patients, as far as that can be said."""
    if _is_shipped(card):
        return "it was never measured on patients"
    training = card.training if isinstance(card.training, Mapping) else {}
    kinds = {kind for kinds, count in scans.counts.items() if count for kind in kinds}
    kinds.add(_kind_of(training.get("validation_data")))
    if kinds <= {SYNTHETIC, IMPLANTS} and not scans.is_incomplete:
        return "its card tells of no measurement on patients"
    # The scans of a user's study may be of patients, and what is done after training is on no card.
    return "its card does not tell whether it was measured on patients"


def _is_shipped(card: ModelCard) -> bool:
    """Whether these are the weights of a model that ships, wherever they lie."""
    for name in model_names() if card.sha256 else ():
        try:
            if load_card(name).sha256 == card.sha256:
                return True
        except SpinemetError:  # a damaged one must not keep others from being loaded
            continue
    return False


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _enumerate(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

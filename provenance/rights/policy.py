"""How an organisation reads what is contested: a value that can be versioned, hashed and recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import rfc8785

from provenance.rights.errors import PolicyError
from provenance.rights.terms import AXES, catalogue, conditions, questions
from provenance.rights.values import ANSWERS, Answer

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Override:
    """An organisation's own reading of one licence on one axis, or on every axis."""

    licence: str
    value: Answer
    axis: str = "*"
    conditions: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class ClearancePolicy:
    """Which reading of each contested question holds, and what evidence is enough.

    Raises
    ------
    PolicyError
        If it names a question, reading, licence, axis or condition that does not exist.
    """

    name: str
    version: int = 1
    readings: tuple[tuple[str, str], ...] = ()
    """Pairs of question and reading, sorted; a question not named is read by default."""
    overrides: tuple[Override, ...] = ()
    weak_evidence: Answer = "allowed"
    """The loosest answer that weak evidence alone can give; ``unknown`` makes it clear nothing."""
    reservations_bind_licences: bool = True
    """Whether a rights holder's opt-out closes what an open licence allows. A grant prevails over it."""
    describes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for question, reading in self.readings:
            if question not in questions():
                raise PolicyError(
                    f"{self.name}: no question {question!r}; there are {', '.join(questions())}"
                )
            if reading not in questions()[question].readings:
                known = ", ".join(sorted(questions()[question].readings))
                raise PolicyError(
                    f"{self.name}: question {question!r} has no reading {reading!r}, only {known}"
                )
        for override in self.overrides:
            self._check(override)
        if self.weak_evidence not in ANSWERS:
            raise PolicyError(
                f"{self.name}: weak_evidence {self.weak_evidence!r} is none of {', '.join(ANSWERS)}"
            )

    def __hash__(self) -> int:
        return self._hash

    def reading_of(self, question: str) -> str:
        """Return the name of the reading that holds for ``question``."""
        return dict(self.readings).get(question, "default")

    def override_for(self, licence: str, axis: str) -> Override | None:
        """Return the last override that names ``licence`` and ``axis``, or None."""
        for override in reversed(self.overrides):
            if override.licence == licence and override.axis in ("*", axis):
                return override
        return None

    def as_json(self) -> dict[str, Any]:
        """Return the policy as plain JSON; `policy_from_json` reads it back."""
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "describes": self.describes,
            "readings": dict(self.readings),
            "overrides": [
                {
                    "licence": override.licence,
                    "axis": override.axis,
                    "value": override.value,
                    "conditions": list(override.conditions),
                    "reason": override.reason,
                }
                for override in self.overrides
            ],
            "weak_evidence": self.weak_evidence,
            "reservations_bind_licences": self.reservations_bind_licences,
        }

    @cached_property
    def sha256(self) -> str:
        """Lower-case hex SHA-256 of the canonical JSON (RFC 8785)."""
        return hashlib.sha256(rfc8785.dumps(self.as_json())).hexdigest()

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.version, self.readings, self.overrides, self.weak_evidence))

    def _check(self, override: Override) -> None:
        if override.licence not in catalogue():
            raise PolicyError(f"{self.name}: licence {override.licence!r} is not in the catalogue")
        if override.axis != "*" and override.axis not in AXES:
            raise PolicyError(f"{self.name}: no axis {override.axis!r}; there are {', '.join(AXES)}")
        if override.value not in ANSWERS:
            raise PolicyError(f"{self.name}: value {override.value!r} is none of {', '.join(ANSWERS)}")
        for condition in override.conditions:
            if condition not in conditions():
                raise PolicyError(
                    f"{self.name}: no condition {condition!r}; there are {', '.join(conditions())}"
                )
        if bool(override.conditions) != (override.value == "constrained"):
            raise PolicyError(f"{self.name}: {override.licence}: conditions belong to `constrained` alone")


def policy_from_json(source: str | Mapping[str, Any]) -> ClearancePolicy:
    """Read a policy that an organisation wrote.

    Parameters
    ----------
    source : str or mapping
        JSON text, or what was parsed from it, in the form of `ClearancePolicy.as_json`.

    Raises
    ------
    PolicyError
        If it is not JSON, of an unknown format, has an unknown field, or names what does not exist.
    """
    fields = _fields(source)
    if fields.get("format", FORMAT) != FORMAT:
        raise PolicyError(f"policy format {fields['format']!r} is not known here; this is format {FORMAT}")
    known = set(ClearancePolicy("").as_json())
    if unknown := sorted(set(fields) - known):
        raise PolicyError(f"unknown field {', '.join(unknown)}; a policy has {', '.join(sorted(known))}")
    try:
        overrides = tuple(
            Override(**{**override, "conditions": tuple(override.get("conditions", ()))})
            for override in fields.get("overrides", ())
        )
        return ClearancePolicy(
            name=str(fields["name"]),
            version=int(fields.get("version", 1)),
            readings=tuple(sorted(fields.get("readings", {}).items())),
            overrides=overrides,
            weak_evidence=fields.get("weak_evidence", "allowed"),
            reservations_bind_licences=bool(fields.get("reservations_bind_licences", True)),
            describes=str(fields.get("describes", "")),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PolicyError(f"the policy can't be read: {error}") from error


def _fields(source: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, str):
        try:
            source = json.loads(source)
        except json.JSONDecodeError as error:
            raise PolicyError(f"not JSON: {error}") from error
    if not isinstance(source, Mapping):
        raise PolicyError("a policy is one JSON object")
    return source


DEFAULT: Final = ClearancePolicy(
    "default",
    describes="Copyleft and share-alike are constrained by named conditions; what is unknown is not cleared.",
)
STRICT: Final = ClearancePolicy(
    "strict",
    readings=(
        ("copyleft-training", "strict"),
        ("no-derivatives-training", "strict"),
        ("sampling-training", "strict"),
        ("share-alike-training", "strict"),
    ),
    describes="No generative training on copyleft, share-alike, Free Art, sampling or no-derivatives terms.",
)
SHIPPED: Final[Mapping[str, ClearancePolicy]] = {"default": DEFAULT, "strict": STRICT}

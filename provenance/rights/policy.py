"""How an organisation reads what is contested: a value that can be versioned, hashed and recorded."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, TypeVar, get_args

import rfc8785
import yaml

from provenance.rights.errors import PolicyError
from provenance.rights.terms import AXES, CLASSES, catalogue, conditions, questions
from provenance.rights.values import ANSWERS, Answer

FORMAT: Final = 1
EVERY_AXIS: Final = "*"
NAMED_AT_MOST: Final = 20
"""How many known words a message lists; of more it names the nearest alone."""
MAX_BYTES: Final = 200_000
"""Largest policy file that is read; the shipped one has 3 kB."""

ConditionReading = Literal["not_owed", "refused"]
CONDITION_READINGS: Final[tuple[str, ...]] = get_args(ConditionReading)
"""What a policy may say of a condition, beside ``as_stated``: that it is not owed, or that it can't be met."""
AS_STATED: Final = "as_stated"
WEAK_EVIDENCE: Final = "weak-evidence"
"""The condition of an answer that weak evidence alone gives, where the policy makes that constrained."""
GRANT_NOTHING: Final = frozenset({"reserved", "unstated"})
"""Families that give no permission: no reading of them can, only a grant."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Override:
    """An organisation's own reading of one licence, or of a family, on one axis or on every axis."""

    licence: str = ""
    """A licence of the catalogue; empty where ``family`` is named."""
    value: Answer = "unknown"
    axis: str = EVERY_AXIS
    conditions: tuple[str, ...] = ()
    reason: str = ""
    family: str = ""
    """One of `terms.CLASSES`; an override of a licence prevails over one of its family."""

    def as_json(self) -> dict[str, Any]:
        """Return the override as plain JSON."""
        of = {"family": self.family} if self.family else {"licence": self.licence}
        return {
            **of,
            "axis": self.axis,
            "value": self.value,
            "conditions": list(self.conditions),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class ClearancePolicy:
    """Which reading of each contested question holds, and what evidence is enough.

    Raises
    ------
    PolicyError
        If it names a question, reading, licence, family, axis or condition that does not exist; names the
        place and the nearest word there is.
    """

    name: str
    version: int = 1
    readings: tuple[tuple[str, str], ...] = ()
    """Pairs of question and reading, sorted; a question not named is read by default."""
    overrides: tuple[Override, ...] = ()
    weak_evidence: Answer = "allowed"
    """The loosest answer that weak evidence alone can give; ``unknown`` makes it clear nothing.

    ``constrained`` asks for the condition ``weak-evidence``, which a person accepts with the dataset's approval.
    """
    reservations_bind_licences: bool = True
    """Whether a rights holder's opt-out closes what an open licence allows. A grant prevails over it."""
    describes: str = field(default="", compare=False)
    condition_readings: tuple[tuple[str, str], ...] = ()
    """Pairs of condition and one of `CONDITION_READINGS`, sorted; they hold for licences, never for grants.

    ``refused`` holds on every axis, ``not_owed`` only where a contested question makes the condition.
    """

    def __post_init__(self) -> None:
        for question, reading in self.readings:
            _known("question", question, questions(), ("readings", question))
            where = ("readings", question)
            _known(f"reading of {question}", reading, questions()[question].readings, where, "reading")
        for at, override in enumerate(self.overrides):
            _check(override, ("overrides", at))
        for condition, reading in self.condition_readings:
            where = ("conditions", condition)
            _known("condition", condition, conditions(), where)
            if condition == WEAK_EVIDENCE:
                raise PolicyError(
                    "no licence makes this condition: weak_evidence says what it is worth", where
                )
            _known("reading of a condition", reading, CONDITION_READINGS, where)
            if reading == "not_owed" and condition not in contested_conditions():
                contested = ", ".join(contested_conditions())
                raise PolicyError(
                    f"nobody contests that {condition} is owed; contested are {contested}", where
                )
        _known("answer", self.weak_evidence, ANSWERS, ("weak_evidence",))

    def __hash__(self) -> int:
        return self._hash

    @property
    def reference(self) -> str:
        """The name that finds it again: ``house@3``; a shipped policy goes by its name alone."""
        return self.name if SHIPPED.get(self.name) == self else f"{self.name}@{self.version}"

    def reading_of(self, question: str) -> str:
        """Return the name of the reading that holds for ``question``."""
        return dict(self.readings).get(question, "default")

    def reading_of_condition(self, condition: str) -> str:
        """Return ``as_stated``, ``not_owed`` or ``refused``."""
        return dict(self.condition_readings).get(condition, AS_STATED)

    def override_for(self, licence: str, axis: str) -> Override | None:
        """Return the last override that names the licence on ``axis``, else the last of its family, or None."""
        family = catalogue()[licence].licence_class
        of_family = None
        for override in reversed(self.overrides):
            if override.axis not in (EVERY_AXIS, axis):
                continue
            if override.licence == licence:
                return override
            if override.family == family and of_family is None:
                of_family = override
        return of_family

    def as_json(self) -> dict[str, Any]:
        """Return the policy as plain JSON; `policy_from_json` reads it back."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "describes": self.describes,
            "readings": dict(self.readings),
            "overrides": [override.as_json() for override in self.overrides],
            "weak_evidence": self.weak_evidence,
            "reservations_bind_licences": self.reservations_bind_licences,
        }
        if self.condition_readings:  # left out where empty: the hashes of older policies stay what they were
            body["conditions"] = dict(self.condition_readings)
        return body

    def as_yaml(self) -> str:
        """Return the policy as a file for people to change: every question with the choices there are."""
        lines = [f"# How licences are read. Questions not named, and {AS_STATED}, leave the shipped reading."]
        body = self.as_json()
        for key in ("format", "name", "version", "describes"):
            lines.append(_dumped({key: body[key]}))
        lines.append("readings:")
        for question in questions().values():
            others = ", ".join(sorted(question.readings))
            lines += [
                f"  # {question.asks} ({others})",
                f"  {question.id}: {self.reading_of(question.id)}",
            ]
        lines += ["# Own readings of one licence (licence:) or of a family (family:), on one axis or on *."]
        lines.append(_dumped({"overrides": body["overrides"]}))
        lines += [f"# A condition of licences: {AS_STATED}, {', '.join(CONDITION_READINGS)}."]
        lines.append(_dumped({"conditions": dict(self.condition_readings)}))
        lines += [
            f"# The loosest answer that weak evidence alone can give; constrained asks for {WEAK_EVIDENCE}."
        ]
        lines.append(_dumped({"weak_evidence": self.weak_evidence}))
        lines += ["# Whether an opt-out closes what an open licence allows."]
        lines.append(_dumped({"reservations_bind_licences": self.reservations_bind_licences}))
        return "\n".join(lines) + "\n"

    @cached_property
    def sha256(self) -> str:
        """Lower-case hex SHA-256 of the canonical JSON (RFC 8785)."""
        return hashlib.sha256(rfc8785.dumps(self.as_json())).hexdigest()

    @cached_property
    def _hash(self) -> int:
        return hash(
            (
                self.name,
                self.version,
                self.readings,
                self.overrides,
                self.condition_readings,
                self.weak_evidence,
            )
        )


def _check(override: Override, where: tuple[str | int, ...]) -> None:
    if bool(override.licence) == bool(override.family):
        raise PolicyError("an override names either a licence or a family", where)
    if override.family:
        _known("family", override.family, sorted(CLASSES), (*where, "family"))
    elif override.licence not in catalogue():
        near = _nearest(override.licence, catalogue())
        raise PolicyError(f"licence {override.licence!r} is not in the catalogue{near}", (*where, "licence"))
    if override.axis != EVERY_AXIS:
        _known("axis", override.axis, AXES, (*where, "axis"))
    if override.value not in ANSWERS:
        near = _nearest(override.value, ANSWERS)
        raise PolicyError(
            f"value {override.value!r} is none of {', '.join(ANSWERS)}{near}", (*where, "value")
        )
    for condition in override.conditions:
        _known("condition", condition, conditions(), (*where, "conditions"))
    if bool(override.conditions) != (override.value == "constrained"):
        raise PolicyError("conditions belong to `constrained`, and to nothing else", (*where, "conditions"))
    _check_loosening(override, where)


def _check_loosening(override: Override, where: tuple[str | int, ...]) -> None:
    """Refuse to read a permission where none is, and to loosen what nobody contests without a reason."""
    for licence in catalogue().values():
        if override.licence != licence.id and override.family != licence.licence_class:
            continue
        for axis in AXES if override.axis == EVERY_AXIS else (override.axis,):
            term = licence.terms[axis]
            if ANSWERS.index(override.value) <= ANSWERS.index(term.value):
                continue
            if licence.licence_class in GRANT_NOTHING:
                raise PolicyError(
                    f"{licence.id} permits nothing that could be read more loosely: "
                    "what its holder allows is a grant",
                    (*where, "value"),
                )
            if not term.contested and not override.reason.strip():
                raise PolicyError(
                    f"nobody contests {axis} of {licence.id}: to read it more loosely takes a reason",
                    (*where, "reason"),
                )


@lru_cache(maxsize=1)
def contested_conditions() -> tuple[str, ...]:
    """Return the conditions that some reading of a contested question leaves out, in their order."""
    readings = [reading for question in questions().values() for reading in question.readings.values()]
    left_out = {condition for reading in readings for condition in reading.without}
    return tuple(condition for condition in conditions() if condition in left_out)


def _known(
    what: str, word: str, known: Collection[str], where: tuple[str | int, ...], short: str = ""
) -> None:
    if word in known:
        return
    there_are = f"; there are {', '.join(known)}" if len(known) <= NAMED_AT_MOST else ""
    of = what.removeprefix(short) if short else ""
    raise PolicyError(f"no {short or what} {word!r}{of}{_nearest(word, known)}{there_are}", where)


def _nearest(word: str, known: Collection[str]) -> str:
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return f", did you mean {folded[near[0]]!r}" if near else ""


def policy_from_json(source: str | Mapping[str, Any]) -> ClearancePolicy:
    """Read a policy that an organisation wrote.

    Parameters
    ----------
    source : str or mapping
        JSON text, or what was parsed from it, in the form of `ClearancePolicy.as_json`.

    Raises
    ------
    PolicyError
        If it is not JSON, of an unknown format, has an unknown field, or names what does not exist; its
        message begins with the place.
    """
    try:
        return _policy(_fields(source))
    except PolicyError as error:
        raise PolicyError(f"{place(error.where)}{error}", error.where) from error


def policy_from_yaml(text: str, source: str = "the policy") -> ClearancePolicy:
    """Read a policy from a file that a person wrote.

    Parameters
    ----------
    text : str
        YAML in the form of `ClearancePolicy.as_yaml`.
    source : str
        The file's name, for messages.

    Raises
    ------
    PolicyError
        As `policy_from_json`; its message begins with ``source`` and the line.
    """
    if len(text.encode()) > MAX_BYTES:
        raise PolicyError(f"{source} is larger than {MAX_BYTES:,} bytes: that is no policy")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_twice(tree)
        return _policy(_mapping(yaml.safe_load(text)))
    except PolicyError as error:
        line = _line(tree, error.where)
        raise PolicyError(f"{source}, line {line}: {place(error.where)}{error}", error.where) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise PolicyError(f"{source}, line {line}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PolicyError(f"{source}: not YAML: {str(error).splitlines()[0]}") from error


def place(where: tuple[str | int, ...]) -> str:
    """Write the way to a place: ``overrides[0].axis: ``; empty for the whole."""
    written = ""
    for step in where:
        written += f"[{step}]" if isinstance(step, int) else f".{step}" if written else step
    return f"{written}: " if written else ""


def _refuse_twice(node: yaml.Node | None, where: tuple[str | int, ...] = ()) -> None:
    """Refuse a key that stands twice: YAML would keep the last without a word."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise PolicyError(f"{key.value!r} stands twice", where)
            seen.add(key.value)
            _refuse_twice(value, (*where, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            _refuse_twice(value, (*where, at))


def _line(node: yaml.Node | None, where: tuple[str | int, ...]) -> int:
    """Return the line, from 1, of the deepest place on the way that is there."""
    line = node.start_mark.line + 1 if node is not None else 1
    for step in where:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _policy(fields: Mapping[str, Any]) -> ClearancePolicy:
    if fields.get("format", FORMAT) != FORMAT:
        raise PolicyError(
            f"policy format {fields['format']!r} is not known here; this is format {FORMAT}", ("format",)
        )
    _refuse_unknown(fields, POLICY_FIELDS, ())
    if not fields.get("name"):
        raise PolicyError("the policy can't be read: name is missing")
    return ClearancePolicy(
        name=_typed(fields, "name", str, ""),
        version=_version(fields),
        readings=_pairs(fields, "readings", leaving="default"),
        overrides=tuple(
            _override(one, ("overrides", at)) for at, one in enumerate(_typed(fields, "overrides", list, []))
        ),
        weak_evidence=_typed(fields, "weak_evidence", str, "allowed"),  # type: ignore[arg-type]  # checked there
        reservations_bind_licences=_typed(fields, "reservations_bind_licences", bool, True),
        describes=_typed(fields, "describes", str, ""),
        condition_readings=_pairs(fields, "conditions", leaving=AS_STATED),
    )


def _override(fields: Any, where: tuple[str | int, ...]) -> Override:
    if not isinstance(fields, Mapping):
        raise PolicyError("an override is a mapping of licence or family, axis, value and reason", where)
    _refuse_unknown(fields, OVERRIDE_FIELDS, where)
    if "value" not in fields:
        raise PolicyError("value is missing", where)
    asked = _typed(fields, "conditions", list, [], where)
    if not all(isinstance(one, str) for one in asked):
        raise PolicyError("conditions are names", (*where, "conditions"))
    return Override(
        licence=_typed(fields, "licence", str, "", where),
        family=_typed(fields, "family", str, "", where),
        axis=_typed(fields, "axis", str, EVERY_AXIS, where),
        value=_typed(fields, "value", str, "", where),  # type: ignore[arg-type]  # checked by the policy
        conditions=tuple(asked),
        reason=_typed(fields, "reason", str, "", where),
    )


def _refuse_unknown(fields: Mapping[str, Any], known: tuple[str, ...], where: tuple[str | int, ...]) -> None:
    for name in fields:
        if name not in known:
            near = _nearest(str(name), known)
            raise PolicyError(
                f"unknown field {name}{near}; there are {', '.join(known)}", (*where, str(name))
            )


def _typed(
    fields: Mapping[str, Any], key: str, kind: type[T], default: T, where: tuple[str | int, ...] = ()
) -> T:
    value = fields.get(key, default)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise PolicyError(f"can't be read: {value!r} is no {KINDS[kind]}", (*where, key))
    return value


def _version(fields: Mapping[str, Any]) -> int:
    version = fields.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PolicyError(f"can't be read: {version!r} is no version number", ("version",))
    return version


def _pairs(fields: Mapping[str, Any], key: str, *, leaving: str) -> tuple[tuple[str, str], ...]:
    found = _typed(fields, key, dict, {})
    for name, reading in found.items():
        if not isinstance(name, str) or not isinstance(reading, str):
            raise PolicyError(f"can't be read: {reading!r} is no reading", (key, str(name)))
    known: Collection[str] = questions() if key == "readings" else conditions()
    for name in found:
        _known(key.removesuffix("s") if key == "conditions" else "question", name, known, (key, name))
    return tuple(sorted((name, reading) for name, reading in found.items() if reading != leaving))


def _fields(source: Any) -> Mapping[str, Any]:
    if isinstance(source, str):
        try:
            source = json.loads(source)
        except (json.JSONDecodeError, RecursionError) as error:
            raise PolicyError(f"not JSON: {error}") from error
    return _mapping(source)


def _mapping(source: Any) -> Mapping[str, Any]:
    if not isinstance(source, Mapping):
        raise PolicyError("a policy is one JSON object or YAML mapping")
    return source


def _dumped(body: Mapping[str, Any]) -> str:
    written: str = yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=100)
    return written.rstrip("\n")


KINDS: Final[Mapping[type, str]] = {str: "text", list: "list", bool: "true or false", dict: "mapping"}
POLICY_FIELDS: Final = (
    "format",
    "name",
    "version",
    "describes",
    "readings",
    "overrides",
    "conditions",
    "weak_evidence",
    "reservations_bind_licences",
)
OVERRIDE_FIELDS: Final = ("licence", "family", "axis", "value", "conditions", "reason")

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

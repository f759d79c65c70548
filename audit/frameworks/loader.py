"""Frameworks are data: one YAML file each, read into values and counted before anyone assesses with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

FORMAT = "liner-notes-framework/1"
FOLDER = Path(__file__).parent

EvidenceKind = Literal["measured", "attested", "both"]
"""Where evidence can come from: rows this product holds, a person's word with documents, or both."""


class FrameworkError(Exception):
    """A framework's file contradicts itself; the message names the file and the place."""


class UnknownFrameworkError(FrameworkError):
    """No framework of that name; the message lists those there are."""


@dataclass(frozen=True)
class Feature:
    """One assessable point of a framework, and this product's reading of it.

    Attributes
    ----------
    id, requirement, name, facet : str
        As the framework has them; the id is the key, names vary between the authors' own publications.
    meaning : str
        What it asks, in our own words.
    evidence_kind : {'measured', 'attested', 'both'}
        Where evidence for it can come from.
    met, partly, not_met : str
        What counts as which: this product's reading.
    not_applicable : str
        When the feature does not apply; empty where it always does.
    weight : float or None
        The framework's own weight; None where the framework defines none, as RAIM.
    """

    id: str
    requirement: str
    name: str
    facet: str
    meaning: str
    evidence_kind: EvidenceKind
    met: str
    partly: str
    not_met: str
    not_applicable: str = ""
    weight: float | None = None


@dataclass(frozen=True)
class Requirement:
    """A heading of the framework and how many features stand under it."""

    name: str
    n_features: int


@dataclass(frozen=True)
class Framework:
    """A framework with all its features, in the framework's order."""

    id: str
    version: str
    name: str
    authors: str
    source_url: str
    licence: str
    notice: str
    reading: str
    requirements: tuple[Requirement, ...]
    features: tuple[Feature, ...]

    def feature(self, feature_id: str) -> Feature:
        """Find one feature.

        Raises
        ------
        KeyError
            If the framework has no feature of that id.
        """
        for feature in self.features:
            if feature.id == feature_id:
                return feature
        raise KeyError(f"{self.id} has no feature {feature_id}")

    def under(self, requirement: str) -> tuple[Feature, ...]:
        """The features that stand under one requirement, in order."""
        return tuple(feature for feature in self.features if feature.requirement == requirement)


def available() -> tuple[str, ...]:
    """Names that ``load`` knows, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def load(name: str) -> Framework:
    """Load a framework by name.

    Parameters
    ----------
    name : str
        One of ``available()``.

    Returns
    -------
    Framework
        The framework; the same object at every call.

    Raises
    ------
    UnknownFrameworkError
        If there is none of that name.
    FrameworkError
        If its file contradicts itself.
    """
    if name not in available():
        raise UnknownFrameworkError(f"there is no framework {name!r}; there are {', '.join(available())}")
    path = FOLDER / f"{name}.yaml"
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)


def parse(document: Any, file_name: str) -> Framework:
    """Turn a framework's document into values.

    Parameters
    ----------
    document : dict
        The YAML document.
    file_name : str
        Named in errors; its stem must be the framework's id.

    Returns
    -------
    Framework
        The framework, whose features are exactly as many as its requirements declare.

    Raises
    ------
    FrameworkError
        If the format is unknown, a field is missing or unknown, an id is repeated, a feature stands under no
        declared requirement, or a count does not agree.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FrameworkError(f"{file_name}: not a document of format {FORMAT}")
    try:
        requirements = tuple(
            Requirement(name=entry["name"], n_features=entry["features"])
            for entry in document["requirements"]
        )
        features = tuple(_feature(entry, file_name) for entry in document["features"])
        framework = Framework(
            id=document["id"],
            version=document["version"],
            name=document["name"],
            authors=document["authors"],
            source_url=document["source"]["url"],
            licence=document["licence"],
            notice=document["notice"].strip(),
            reading=document["reading"],
            requirements=requirements,
            features=features,
        )
    except KeyError as error:
        raise FrameworkError(f"{file_name}: {error.args[0]} is missing") from error
    _check_counts(framework, file_name)
    return framework


def _feature(entry: dict[str, Any], file_name: str) -> Feature:
    try:
        feature = Feature(**entry)
    except TypeError as error:
        raise FrameworkError(f"{file_name}: feature {entry.get('id')}: {error}") from error
    if feature.evidence_kind not in get_args(EvidenceKind):
        raise FrameworkError(
            f"{file_name}: feature {feature.id}: evidence_kind is {feature.evidence_kind!r}, "
            f"not one of {', '.join(get_args(EvidenceKind))}"
        )
    return feature


def _check_counts(framework: Framework, file_name: str) -> None:
    if framework.id != Path(file_name).stem:
        raise FrameworkError(f"{file_name}: its id is {framework.id}")
    repeated = [name for name, n in Counter(feature.id for feature in framework.features).items() if n > 1]
    if repeated:
        raise FrameworkError(f"{file_name}: {', '.join(repeated)} stands there more than once")
    declared = {requirement.name: requirement.n_features for requirement in framework.requirements}
    found = Counter(feature.requirement for feature in framework.features)
    for name in declared.keys() | found.keys():
        if declared.get(name, 0) != found[name]:
            raise FrameworkError(
                f"{file_name}: {name}: {declared.get(name, 0)} features declared, {found[name]} found"
            )

"""Collectors by framework and feature, and how their answers stand beside what people attest."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from audit.evidence.facts import Facts, row
from audit.frameworks.loader import Feature, Framework
from audit.models import Attestation
from audit.reports.snapshot import Answer, Conformance, Evidence

Collector = Callable[[Facts], Answer | None]
COLLECTORS: dict[tuple[str, str], Collector] = {}
_MODULES = ("raim", "openness", "licensing", "union")


def collector(framework: str, feature: str) -> Callable[[Collector], Collector]:
    def register(collect_one: Collector) -> Collector:
        COLLECTORS[framework, feature] = collect_one
        return collect_one

    return register


def collect(framework: Framework, facts: Facts, attested: Mapping[str, Attestation]) -> dict[str, Answer]:
    """Answer every feature of a framework from rows, from attestations, or by saying what is needed."""
    for name in _MODULES:
        importlib.import_module(f"audit.evidence.{name}")
    answers = {}
    for feature in framework.features:
        find = COLLECTORS.get((framework.id, feature.id))
        measured = find(facts) if find and feature.evidence_kind != "attested" else None
        answers[feature.id] = _settle(feature, measured, attested.get(feature.id), facts)
    if framework.id == "raim":
        answers["7-03"] = _responsible_statement(answers, attested)
    return answers


def _settle(feature: Feature, measured: Answer | None, attested: Attestation | None, facts: Facts) -> Answer:
    """A person's word counts where the framework takes one; beside a measurement it explains, and changes nothing."""
    if attested is None:
        return measured or _not_assessed(feature, facts)
    if feature.evidence_kind == "measured":
        if measured is None:
            return _not_assessed(feature, facts)
        reason = f"{measured.reason} In the maker's words: {attested.reason}"
        return Answer(measured.conformance, reason, [*measured.evidence, _word("statement", attested)])
    if measured is None:
        return _attested(attested, attested.reason, [])
    return _attested(attested, f"{attested.reason} The rows say: {measured.reason}", measured.evidence)


def _attested(attested: Attestation, reason: str, measured: Sequence[Evidence]) -> Answer:
    conformance = cast(Conformance, attested.conformance)
    return Answer(conformance, reason, [_word("attestation", attested), *measured], answered_by="attested")


def _word(kind: str, attested: Attestation) -> Evidence:
    return row(
        kind,
        attested.public_id,
        "stated by a person",
        attested.evidence or "no document",
        effective_on=attested.effective_on.isoformat(),
    )


def _not_assessed(feature: Feature, facts: Facts) -> Answer:
    known = facts.remarks.get(feature.id, "")
    return Answer("not_assessed", f"{known}Not assessed. Needed: {feature.met}", answered_by="nobody")


def _responsible_statement(answers: Mapping[str, Answer], attested: Mapping[str, Attestation]) -> Answer:
    """RAIM 7-03: whatever is missing is owned up to by a person."""
    gaps = sorted(
        feature
        for feature, answer in answers.items()
        if answer.conformance in {"not_met", "partly"} and feature != "7-03"
    )
    owned = [feature for feature in gaps if feature in attested]
    evidence = [
        row(
            "statement",
            attested[feature].public_id,
            f"reason given for {feature}",
            attested[feature].reason[:200],
        )
        for feature in owned
    ]
    if not gaps:
        return Answer("not_assessed", "No feature is answered as missing yet.", answered_by="nobody")
    if len(owned) == len(gaps):
        return Answer("met", f"A person gave the reason for each of the {len(gaps)} gaps.", evidence)
    if owned:
        return Answer("partly", f"A person gave the reason for {len(owned)} of {len(gaps)} gaps.", evidence)
    return Answer(
        "not_met",
        f"{len(gaps)} features are not met or only partly met, and no person has given a reason for any of them: "
        f"attest them ({', '.join(gaps[:6])}{', …' if len(gaps) > 6 else ''}).",
    )

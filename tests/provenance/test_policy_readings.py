"""Policies as values: stricter never loosens, and a file reads back as what was written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provenance.rights.changes import loosenings, reading_changes
from provenance.rights.clearance import clear
from provenance.rights.errors import PolicyError
from provenance.rights.policy import (
    DEFAULT,
    SHIPPED,
    STRICT,
    WEAK_EVIDENCE,
    ClearancePolicy,
    Override,
    contested_conditions,
    policy_from_json,
    policy_from_yaml,
)
from provenance.rights.readings import read, read_axis
from provenance.rights.terms import AXES, CLASSES, catalogue, conditions, questions
from provenance.rights.values import (
    ANSWERS,
    PURPOSES,
    RIGHTS,
    Grant,
    RecordingRights,
    Reservation,
    Statement,
    Use,
)

AT = datetime(2026, 3, 1, tzinfo=UTC)
LICENCES = sorted(catalogue())
LEAVES = st.sampled_from([*LICENCES, "LicenseRef-nobody-knows", ""])
EXPRESSIONS = st.one_of(
    LEAVES,
    st.builds(
        lambda a, b, op: f"{a} {op} {b}" if a and b else a or b,
        LEAVES,
        LEAVES,
        st.sampled_from(["AND", "OR"]),
    ),
)
STATEMENTS = st.builds(
    lambda right, expression, weak: Statement(right, expression, expression, "steward", weak=weak),
    st.sampled_from(RIGHTS),
    EXPRESSIONS,
    st.booleans(),
)
GRANTS = st.builds(
    lambda right, purpose: Grant(f"g-{right}", right, "Label", frozenset({purpose}), commercial=True),
    st.sampled_from(RIGHTS),
    st.sampled_from(PURPOSES),
)
RECORDINGS = st.builds(
    lambda said, grants, reserved: RecordingRights(
        tuple(said), grants=tuple(grants), reservations=(Reservation("opt-out"),) if reserved else ()
    ),
    st.lists(STATEMENTS, max_size=4),
    st.lists(GRANTS, max_size=2),
    st.booleans(),
)
USES = st.builds(
    lambda purpose, commercial: Use(purpose, commercial, at=AT), st.sampled_from(PURPOSES), st.booleans()
)
TIGHTER = st.builds(
    lambda of, axis, value: Override(**of, axis=axis, value=value, reason="memo"),
    st.one_of(
        st.sampled_from(LICENCES).map(lambda one: {"licence": one}),
        st.sampled_from(sorted(CLASSES)).map(lambda one: {"family": one}),
    ),
    st.sampled_from([*AXES, "*"]),
    st.sampled_from(["not_allowed"]),
)
OF_LICENCES = sorted(conditions().keys() - {WEAK_EVIDENCE})
POLICIES = st.builds(
    lambda readings, kept, overrides, weak, binds: ClearancePolicy(
        "own",
        readings=tuple(sorted((name, said) for name, said in readings.items() if said != "default")),
        overrides=tuple(overrides),
        weak_evidence=weak,
        reservations_bind_licences=binds,
        condition_readings=tuple(sorted(kept.items())),
        describes="ours: “readings”, # and all",
    ),
    st.fixed_dictionaries({name: st.sampled_from(sorted(one.readings)) for name, one in questions().items()}),
    st.one_of(
        st.just({}),
        st.dictionaries(st.sampled_from(OF_LICENCES), st.just("refused"), max_size=2),
        st.dictionaries(st.sampled_from(sorted(contested_conditions())), st.just("not_owed"), max_size=2),
    ),
    st.lists(TIGHTER, max_size=2),
    st.sampled_from(ANSWERS),
    st.booleans(),
)


def rank(answer: str) -> int:
    return list(map(str, ANSWERS)).index(answer)


class TestAStricterPolicy:
    @given(POLICIES, RECORDINGS, USES, st.data())
    @settings(max_examples=150)
    def test_never_loosens_an_answer(
        self, policy: ClearancePolicy, recording: RecordingRights, use: Use, data: st.DataObject
    ) -> None:
        steps = {
            "reading": lambda: replace(
                policy,
                readings=tuple(
                    sorted(
                        {
                            **dict(policy.readings),
                            data.draw(st.sampled_from(sorted(questions()))): "strict",
                        }.items()
                    )
                ),
            ),
            "override": lambda: replace(policy, overrides=(*policy.overrides, data.draw(TIGHTER))),
            "condition": lambda: replace(
                policy,
                condition_readings=tuple(
                    sorted(
                        {
                            **dict(policy.condition_readings),
                            data.draw(st.sampled_from(OF_LICENCES)): "refused",
                        }.items()
                    )
                ),
            ),
            "weak": lambda: replace(policy, weak_evidence=ANSWERS[max(0, rank(policy.weak_evidence) - 1)]),
            "reservations": lambda: replace(policy, reservations_bind_licences=True),
        }
        stricter = steps[data.draw(st.sampled_from(sorted(steps)))]()
        for one in ("master", "composition"):
            before, after = (
                getattr(clear(recording, use, policy), one),
                getattr(clear(recording, use, stricter), one),
            )
            assert rank(after.answer) <= rank(before.answer)
        assert rank(clear(recording, use, stricter).answer) <= rank(clear(recording, use, policy).answer)

    @given(POLICIES, st.integers(0, 2), st.booleans(), RECORDINGS, USES)
    @settings(max_examples=100)
    def test_is_one_that_loosens_nothing(
        self, other: ClearancePolicy, n_kept: int, plain: bool, recording: RecordingRights, use: Use
    ) -> None:
        one = replace(
            other,
            overrides=other.overrides[:n_kept],
            condition_readings=() if plain else other.condition_readings,
            readings=tuple(pair for pair in other.readings if pair[1] != "strict"),
            weak_evidence="allowed",
        )
        assume(not loosenings(one, other))
        assert rank(clear(recording, use, other).answer) <= rank(clear(recording, use, one).answer)

    def test_is_the_strict_one_of_those_shipped(self) -> None:
        assert loosenings(DEFAULT, STRICT) == ()
        assert "GPL-2.0 on ai_generative_training" in loosenings(STRICT, DEFAULT)
        assert {change.direction for change in reading_changes(DEFAULT, STRICT)} == {"stricter"}

    def test_is_not_one_that_lets_weak_evidence_or_opt_outs_go(self) -> None:
        careful = replace(DEFAULT, weak_evidence="unknown")
        assert loosenings(careful, DEFAULT) == ("weak evidence counts for allowed",)
        deaf = replace(DEFAULT, reservations_bind_licences=False)
        assert loosenings(DEFAULT, deaf) == ("opt-outs no longer close what a licence allows",)
        assert loosenings(deaf, DEFAULT) == ()

    def test_is_not_one_that_exchanges_a_condition(self) -> None:
        other = ClearancePolicy(
            "x", overrides=(Override("MIT", "constrained", "redistribution", ("attribution",), "memo"),)
        )
        assert loosenings(DEFAULT, other) == ("MIT on redistribution",)


class TestAFile:
    @pytest.mark.parametrize("shipped", SHIPPED.values(), ids=SHIPPED)
    def test_of_a_shipped_policy_is_that_policy(self, shipped: ClearancePolicy) -> None:
        read_back = policy_from_yaml(shipped.as_yaml())
        assert read_back == shipped
        assert read_back.sha256 == shipped.sha256
        assert read_back.reference == shipped.name

    @given(POLICIES)
    @settings(max_examples=40)
    def test_reads_back_as_what_was_written(self, policy: ClearancePolicy) -> None:
        assert policy_from_yaml(policy.as_yaml()).sha256 == policy.sha256
        assert policy_from_json(policy.as_json()) == policy

    def test_keeps_the_hashes_of_before_conditions_could_be_read(self) -> None:
        assert DEFAULT.sha256 == "b3afa142da2831745d7f5fc4a96e75565cb16293a27b9e020336c3fb1db5068a"
        assert STRICT.sha256 == "05e524cb4709a429b8ee845bc758ae067bceb5697b2fef9c22342381c8783f76"

    @given(st.text(max_size=200))
    @settings(max_examples=60)
    def test_of_whatever_people_send_is_refused_by_name(self, text: str) -> None:
        with pytest.raises(PolicyError, match="the policy"):
            policy_from_yaml(text)


def own(**fields: Any) -> ClearancePolicy:
    return policy_from_json({"name": "own", **fields})


class TestOverrides:
    def test_of_a_family_read_each_of_its_licences(self) -> None:
        policy = own(overrides=[{"family": "copyleft", "axis": "redistribution", "value": "not_allowed"}])
        for licence in catalogue().values():
            changed = read_axis(licence, "redistribution", policy).answer == "not_allowed"
            before = licence.terms["redistribution"].value == "not_allowed"
            assert changed == (licence.licence_class == "copyleft" or before), licence.id

    def test_of_a_licence_prevail_over_its_family(self) -> None:
        policy = own(
            overrides=[
                {"licence": "GPL-2.0", "axis": "ai_generative_training", "value": "allowed"},
                {"family": "copyleft", "value": "not_allowed"},
            ]
        )
        assert read("GPL-2.0-only", "ai_generative_training", True, policy).answer == "not_allowed"
        assert read_axis(catalogue()["GPL-2.0"], "ai_generative_training", policy).answer == "allowed"
        assert read_axis(catalogue()["GPL-3.0"], "ai_generative_training", policy).answer == "not_allowed"

    @pytest.mark.parametrize("family", ["reserved", "unstated"])
    def test_find_no_permission_where_none_is(self, family: str) -> None:
        with pytest.raises(PolicyError, match="what its holder allows is a grant"):
            own(overrides=[{"family": family, "value": "allowed", "reason": "because"}])

    def test_loosen_what_nobody_contests_for_a_reason_alone(self) -> None:
        fields = {"licence": "CC-BY-NC-4.0", "axis": "commercial", "value": "allowed"}
        with pytest.raises(PolicyError, match=r"overrides\[0\].reason: nobody contests commercial"):
            own(overrides=[fields])
        assert own(overrides=[{**fields, "reason": "memo 3"}]).overrides[0].reason == "memo 3"

    @pytest.mark.parametrize("fields", [{}, {"licence": "MIT", "family": "permissive"}])
    def test_name_a_licence_or_a_family(self, fields: dict[str, str]) -> None:
        with pytest.raises(PolicyError, match="either a licence or a family"):
            own(overrides=[{**fields, "value": "unknown"}])


class TestConditions:
    def test_refused_are_not_allowed_wherever_they_are_asked(self) -> None:
        policy = own(conditions={"notice": "refused"})
        reading = read("MIT", "redistribution", False, policy)
        assert reading.answer == "not_allowed"
        assert "policy own refuses the condition notice" in reading.reasons

    def test_not_owed_hold_where_that_is_contested_alone(self) -> None:
        policy = own(conditions={"attribution": "not_owed"})
        assert read("CC-BY-4.0", "ai_generative_training", True, policy).answer == "allowed"
        conditions = read("CC-BY-4.0", "redistribution", True, policy).conditions
        assert conditions == ("attribution", "no-technical-restriction")

    def test_that_nobody_contests_are_owed(self) -> None:
        with pytest.raises(PolicyError, match="nobody contests that notice is owed"):
            own(conditions={"notice": "not_owed"})

    def test_that_no_licence_makes_are_not_read_here(self) -> None:
        with pytest.raises(PolicyError, match="weak_evidence says what it is worth"):
            own(conditions={"weak-evidence": "refused"})

    def test_of_grants_are_left_alone(self) -> None:
        policy = own(conditions={"within-contract": "refused"})
        grants = tuple(
            Grant(right, right, "Label", frozenset({"data_mining"}), True, conditions=("within-contract",))
            for right in RIGHTS
        )
        cleared = clear(RecordingRights(grants=grants), Use("data_mining", at=AT), policy)
        assert (cleared.answer, cleared.conditions) == ("constrained", ("within-contract",))

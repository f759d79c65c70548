"""What is known of each recording's rights, read from the database as the rights engine's values."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import BooleanField, F, Func, Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from governance.models import Organisation
from lib.batches import batches
from provenance.models import (
    Conflict,
    ConflictSide,
    ConflictStatus,
    DatasetEntry,
    DatasetKind,
    Grant,
    GrantRecording,
    LicenceStatement,
    MemoRecording,
    Party,
    ReservationRecording,
    RightsClaim,
)
from provenance.rights import values

CHUNK = 2000
NAMES_A_STATEMENT = ("right", "source", "expression", "raw", "evidence")
STATEMENT_FIELDS = (
    *("right", "expression", "raw", "source", "weak", "evidence", "quote", "holders", "licence_url"),
    *("territory", "valid_from", "valid_until"),
)


class AnyOf(Func):
    """``column = ANY(keys)``: one parameter, where ``IN`` would prepare and quote thousands."""

    output_field = BooleanField()

    def __init__(self, column: str, keys: Iterable[int | str]) -> None:
        super().__init__(F(column))
        self.keys = list(keys)

    def as_sql(
        self, compiler: SQLCompiler, *_: Any, **__: Any
    ) -> tuple[str, Any]:  # a list is a parameter too
        """Return the comparison and its one parameter."""
        column, params = compiler.compile(self.source_expressions[0])
        return f"{column} = ANY(%s)", (*params, self.keys)


def rights_of(entries: QuerySet[DatasetEntry]) -> Iterator[tuple[DatasetEntry, values.RecordingRights]]:
    for chunk in batches(entries.iterator(chunk_size=CHUNK), CHUNK):
        yield from _rights_of_chunk(chunk)


def _rights_of_chunk(chunk: list[DatasetEntry]) -> Iterator[tuple[DatasetEntry, values.RecordingRights]]:
    recording_ids = {entry.recording_id for entry in chunk}
    statements = statements_of(entry.pk for entry in chunk)
    claims = _claims_by_recording(recording_ids)
    grants = _grants_by_recording(recording_ids)
    reservations = _reservations_by_recording(recording_ids)
    memos = _memos_by_recording(recording_ids)
    conflicts = _conflicts_by_recording(recording_ids)
    protected = set(
        DatasetEntry.objects.filter(
            AnyOf("recording_id", recording_ids), dataset__kind=DatasetKind.PROTECTED
        ).values_list("recording_id", flat=True)
    )
    for entry in chunk:
        known = entry.recording_id
        yield (
            entry,
            values.RecordingRights(
                statements=tuple(statements.get(entry.pk, ())),
                claims=tuple(claims.get(known, ())),
                grants=tuple(grants.get(known, ())),
                reservations=tuple(reservations.get(known, ())),
                memos=tuple(memos.get(known, ())),
                conflicts=tuple(conflicts.get(known, ())),
                protected=known in protected,
            ),
        )


def statements_of(entry_ids: Iterable[int]) -> dict[int, list[values.Statement]]:
    """Return what is said of each entry, by its key."""
    found: dict[int, list[values.Statement]] = defaultdict(list)
    rows = LicenceStatement.objects.filter(AnyOf("entry_id", entry_ids)).order_by("id")
    for (
        entry_id,
        right,
        expression,
        raw,
        source,
        weak,
        evidence,
        quote,
        holders,
        url,
        where,
        begin,
        end,
    ) in rows.values_list("entry_id", *STATEMENT_FIELDS):
        found[entry_id].append(
            values.Statement(
                right,
                expression,
                raw,
                source,
                weak,
                evidence,
                quote,
                tuple(holders),
                url,
                tuple(where),
                begin,
                end,
            )
        )
    return found


def statement_value(statement: LicenceStatement) -> values.Statement:
    return values.Statement(
        right=statement.right,  # type: ignore[arg-type]  # the database holds known rights and sources only
        expression=statement.expression,
        raw=statement.raw,
        source=statement.source,  # type: ignore[arg-type]
        weak=statement.weak,
        evidence=statement.evidence,
        quote=statement.quote,
        holders=tuple(statement.holders),
        licence_url=statement.licence_url,
        territory=tuple(statement.territory),
        valid_from=statement.valid_from,
        valid_until=statement.valid_until,
    )


def asker_of(organisation: Organisation) -> frozenset[str]:
    """Return the names by which grants are given to an organisation; none where nobody said who it is.

    Without a party that stands for it any licensee's name may mean it, and grants are not told apart by it.
    """
    names = set(Party.objects.filter(stands_for=organisation).values_list("name", flat=True))
    return frozenset({*names, organisation.name}) if names else frozenset()


def claims_of(recording_ids: Iterable[int]) -> dict[int, list[values.Claim]]:
    """Return the claims that stand, by the key of their recording."""
    return _claims_by_recording(recording_ids)


def _claims_by_recording(recording_ids: Iterable[int]) -> dict[int, list[values.Claim]]:
    found: dict[int, list[values.Claim]] = defaultdict(list)
    rows = RightsClaim.objects.filter(AnyOf("recording_id", recording_ids), withdrawn_at=None).order_by("id")
    for recording_id, right, party, share, role, where, begin, end, source in rows.values_list(
        *("recording_id", "right", "party__name", "share_percent", "role"),
        *("territory", "valid_from", "valid_until", "source"),
    ):
        percent = None if share is None else float(share)
        found[recording_id].append(
            values.Claim(right, party, percent, role, tuple(where), begin, end, source)
        )
    return found


def _grants_by_recording(recording_ids: Iterable[int]) -> dict[int, list[values.Grant]]:
    """Return the grants of each recording; one that names thousands of them is read once a chunk."""
    links = list(
        GrantRecording.objects.filter(AnyOf("recording_id", recording_ids))
        .order_by("grant_id")
        .values_list("recording_id", "grant_id")
    )
    grants = Grant.objects.filter(pk__in={grant_id for _, grant_id in links}).select_related(
        "licensor", "licensee"
    )
    known = {grant.pk: grant_value(grant) for grant in grants}
    found: dict[int, list[values.Grant]] = defaultdict(list)
    for recording_id, grant_id in links:
        found[recording_id].append(known[grant_id])
    return found


def grant_value(grant: Grant) -> values.Grant:
    return values.Grant(
        id=str(grant.public_id),
        right=grant.right,  # type: ignore[arg-type]
        licensor=grant.licensor.name,
        purposes=frozenset(grant.purposes),
        commercial=grant.commercial,
        territory=tuple(grant.territory),
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        model_scope=frozenset(grant.model_scope),
        conditions=(*grant.conditions, *_owed(grant)),
        share=100.0 if grant.share_percent is None else float(grant.share_percent),
        revoked_at=grant.revoked_from,
        basis=grant.basis,  # type: ignore[arg-type]
        document=grant.document,
        licensee=grant.licensee.name,
        sublicensing=grant.sublicensing,
        chain_of_title=tuple(grant.chain_of_title),
        sunset_on=grant.sunset_on,
        given_at=grant.registered_at if grant.reinstates_id is not None else None,
        attribution=grant.attribution,
    )


def _owed(grant: Grant) -> tuple[str, ...]:
    """Return the condition that a deal's attribution duty is, where it does not name it itself."""
    return ("attribution",) if grant.attribution and "attribution" not in grant.conditions else ()


def _reservations_by_recording(recording_ids: Iterable[int]) -> dict[int, list[values.Reservation]]:
    found: dict[int, list[values.Reservation]] = defaultdict(list)
    links = ReservationRecording.objects.filter(AnyOf("recording_id", recording_ids)).select_related(
        "reservation"
    )
    for link in links.order_by("reservation_id"):
        held = link.reservation
        found[link.recording_id].append(
            values.Reservation(
                id=str(held.public_id),
                right=held.right,  # type: ignore[arg-type]
                purposes=frozenset(held.purposes),
                territory=tuple(held.territory),
                declared_at=held.declared_at,
                withdrawn_at=held.withdrawn_at,
                source=held.get_source_display(),
                evidence=held.location,
            )
        )
    return found


def _memos_by_recording(recording_ids: Iterable[int]) -> dict[int, list[values.ExceptionMemo]]:
    found: dict[int, list[values.ExceptionMemo]] = defaultdict(list)
    links = MemoRecording.objects.filter(AnyOf("recording_id", recording_ids)).select_related("memo")
    for link in links.order_by("memo_id"):
        memo = link.memo
        found[link.recording_id].append(
            values.ExceptionMemo(
                id=str(memo.public_id),
                purposes=frozenset(memo.purposes),
                signed_by=memo.signed_by,
                lawful_access=memo.lawful_access,
                territory=tuple(memo.territory),
                valid_from=memo.valid_from,
                valid_until=memo.valid_until,
                withdrawn_at=memo.withdrawn_at,
            )
        )
    return found


def _conflicts_by_recording(recording_ids: set[int]) -> dict[int, list[values.Conflict]]:
    """Return the conflicts of each recording, the closed ones too: as of an earlier day they were open."""
    conflicts = list(
        Conflict.objects.filter(
            Q(AnyOf("recording_a_id", recording_ids)) | Q(AnyOf("recording_b_id", recording_ids))
        ).order_by("id")
    )
    said = said_of(conflicts)
    found: dict[int, list[values.Conflict]] = defaultdict(list)
    for conflict in conflicts:
        for own, other in (
            (conflict.recording_a_id, conflict.recording_b_id),
            (conflict.recording_b_id, conflict.recording_a_id),
        ):
            if own in recording_ids:
                found[own].append(conflict_value(conflict, said, other))
            if own == other:
                break
    return found


def said_of(conflicts: Iterable[Conflict]) -> dict[int, list[values.Statement]]:
    """Return what is said of the recordings on either side, by recording."""
    sides = {side for one in conflicts for side in (one.recording_a_id, one.recording_b_id)}
    said: dict[int, list[values.Statement]] = defaultdict(list)
    if sides:
        statements = LicenceStatement.objects.filter(AnyOf("entry__recording_id", sides))
        for statement in statements.select_related("entry").order_by("id"):
            said[statement.entry.recording_id].append(statement_value(statement))
    return said


def conflict_value(
    conflict: Conflict, said: Mapping[int, Sequence[values.Statement]], other: int
) -> values.Conflict:
    """Return a conflict as clearing reads it; ``other`` is the recording on the side that is not asked about."""
    sides = {
        ConflictSide.A: _spoken(conflict.evidence_a, said.get(conflict.recording_a_id, ())),
        ConflictSide.B: _spoken(conflict.evidence_b, said.get(conflict.recording_b_id, ())),
    }
    favoured = conflict.in_favour_of
    upheld = [
        one for side, spoken in sides.items() if favoured in (side, ConflictSide.BOTH) for one in spoken
    ]
    against = [one for side, spoken in sides.items() if favoured in set(sides) - {side} for one in spoken]
    return values.Conflict(
        id=str(conflict.public_id),
        kind=conflict.kind,
        statements=tuple(said.get(other, ())),
        closed_at=conflict.resolved_at if conflict.status != ConflictStatus.OPEN else None,
        upheld=tuple(upheld),
        set_aside=tuple(one for one in against if one not in upheld),
    )


def _spoken(evidence: Any, said: Iterable[values.Statement]) -> list[values.Statement]:
    """Return those statements that a finding names on one side, with their territory and term."""
    named = {
        tuple(str(one.get(name, "")) for name in NAMES_A_STATEMENT)
        for one in (evidence.get("statements", ()) if isinstance(evidence, dict) else ())
    }
    return [one for one in said if tuple(str(getattr(one, name)) for name in NAMES_A_STATEMENT) in named]

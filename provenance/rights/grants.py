"""What grants allow: whether they cover a use, and come from everybody who has to give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC
from functools import lru_cache
from typing import Final

from provenance.rights.names import party
from provenance.rights.periods import in_force, out_of_term
from provenance.rights.shares import SHARE_TOLERANCE
from provenance.rights.values import PARTS, RANK, Claim, Grant, Right, RightAnswer, Use

WEIGHTS_IN_USE: Final = frozenset({"ai_inference", "output_commercial"})
"""The purposes that go on after training, until a grant's sunset."""


def by_grants(
    given: tuple[list[Grant], list[Grant]],
    held: tuple[list[Claim], list[Claim]],
    recorded: list[Grant],
    right: Right,
    use: Use,
) -> RightAnswer | None:
    """Weigh the grants for a right and for its declared parts, in one place.

    Parameters
    ----------
    given, held : tuple of (list, list)
        Grants and claims, each of the right as a whole and of its declared parts: the performance, the lyrics.
    recorded : list of Grant
        All of them, for other places too: what a chain of title is held against.
    right : Right
        ``master`` or ``composition``.
    use : Use
        What is asked; its territory is settled before.

    Returns
    -------
    RightAnswer or None
        None where no grant covers the use; ``unknown`` where one does and somebody else holds a share.
    """
    covering = [grant for grant in given[0] if not _miss(grant, use)]
    if not covering:
        return None
    of_parts = [grant for grant in given[1] if not _miss(grant, use)]
    broken: dict[str, str] = {}
    if any(grant.chain_of_title for grant in covering + of_parts):
        covering = [_as_chained(grant, given[0], recorded, use, broken) for grant in covering]
        of_parts = [_as_chained(grant, given[1], recorded, use, broken) for grant in of_parts]
    claims, parts = held
    answer = _by_holders(covering, claims, right, use, broken)
    if parts and answer.answer != "unknown":
        answer = _with_parts(answer, covering + of_parts, parts, right, use, broken)
    if broken and answer.answer == "unknown":
        answer = replace(answer, reasons=(*answer.reasons, *broken.values()))
    return answer


def _as_chained(
    grant: Grant, here: list[Grant], recorded: list[Grant], use: Use, broken: dict[str, str]
) -> Grant:
    """Follow a chain of title back from its licensor, and cut it off where the grants on record contradict it.

    A link that no grant on record speaks of is taken from the deal's own document. Where a grant from the one to the
    other is on record, it must cover the use and permit sublicensing: nobody gives on more than was given.
    """
    licensor = party(grant.licensor)
    chain = (*(name for name in map(party, grant.chain_of_title) if name != licensor), licensor)
    for place in range(len(chain) - 2, -1, -1):
        link = (grant.right, *chain[place : place + 2])
        heads = [one for one in recorded if (one.right, party(one.licensor), party(one.licensee)) == link]
        gaps = [_why_not_given_on(one, here, use) for one in heads]
        if gaps and all(gaps):
            broken[grant.id] = (
                f"grant {grant.id} by {grant.licensor} rests on grant {heads[0].id}, which {gaps[0]}"
            )
            return replace(grant, chain_of_title=chain[place + 1 :])
    return grant


def _why_not_given_on(head: Grant, here: list[Grant], use: Use) -> str:
    """Say why the licensee of a grant can't give on what is asked; empty where it can."""
    if head not in here:
        return f"is for {', '.join(head.territory)}"
    missed = _miss(head, replace(use, licensees=frozenset()))
    return missed or ("" if head.sublicensing else "permits no sublicensing")


def misses(grants: Iterable[Grant], use: Use) -> tuple[str, ...]:
    """Say of each grant that does not cover a use why it doesn't."""
    said = [(grant.id, _miss(grant, use)) for grant in grants]
    return tuple([f"grant {id} {why}" for id, why in said if why])


def only_out_of_term(grants: Iterable[Grant], use: Use) -> bool:
    """Say whether nothing but its term keeps one of the grants from covering a use."""
    return any(
        _miss(grant, use)
        and not _miss(replace(grant, valid_from=None, valid_until=None, sunset_on=None), use)
        for grant in grants
    )


def _by_holders(
    grants: list[Grant], claims: list[Claim], right: str, use: Use, broken: Collection[str]
) -> RightAnswer:
    """Let each source's claims say who must have granted; the strictest source holds."""
    on = use.on
    held = [
        claim
        for claim in claims
        if (claim.share is not None or not claim.is_credit)
        and in_force(claim.valid_from, claim.valid_until, on)
    ]
    if not held:
        return _unclaimed([grant for grant in grants if grant.id not in broken], right, use)
    sources = {claim.source for claim in held}
    if len(sources) == 1:
        return _by_shares(grants, held, right, use)
    answers = [
        _by_shares(grants, [claim for claim in held if claim.source == source], right, use)
        for source in sorted(sources)
    ]
    return min(answers, key=lambda answer: RANK[answer.answer])


def _with_parts(
    whole: RightAnswer,
    grants: list[Grant],
    parts: list[Claim],
    right: Right,
    use: Use,
    broken: Collection[str],
) -> RightAnswer:
    """Ask each declared part's claimants too: a grant of the whole by them, or of the part, will do."""
    answers = [whole]
    for part in PARTS[right]:
        claims = [claim for claim in parts if claim.right == part and not claim.is_credit]
        given = [grant for grant in grants if grant.right in (right, part)]
        if claims:
            answers.append(_by_holders(given, claims, part, use, broken))
    worst = min(answers, key=lambda answer: RANK[answer.answer])
    if worst.answer == "unknown":
        return worst
    return replace(
        worst,
        reasons=tuple(dict.fromkeys(reason for answer in answers for reason in answer.reasons)),
        conditions=tuple(sorted({condition for answer in answers for condition in answer.conditions})),
        clauses=tuple(dict.fromkeys(clause for answer in answers for clause in answer.clauses)),
        grants=tuple(dict.fromkeys(id for answer in answers for id in answer.grants)),
    )


def _unclaimed(grants: list[Grant], right: str, use: Use) -> RightAnswer:
    """Weigh grants for a right that nobody is known to claim: the licensors' own word on their shares holds."""
    best: dict[str, Grant] = {}
    for grant in grants:
        name = party(grant.licensor)
        held = best.get(name)
        if held is None or (-grant.share, len(_conditions(grant, use))) < (
            -held.share,
            len(_conditions(held, use)),
        ):
            best[name] = grant
    whole = [grant for grant in best.values() if grant.share >= 100 - SHARE_TOLERANCE]
    if whole:
        return _granted([min(whole, key=lambda grant: len(_conditions(grant, use)))], use)
    total = round(sum(grant.share for grant in best.values()), 4)
    if total >= 100 - SHARE_TOLERANCE:
        return _granted(list(best.values()), use)
    return RightAnswer(
        "unknown",
        reasons=(f"{100 - total:g} % of the {right} is not granted",),
        unknown_because="share_not_granted",
    )


def _by_shares(grants: list[Grant], claims: list[Claim], right: str, use: Use) -> RightAnswer:
    """Weigh grants by the claims of those they come from: whoever claims nothing can grant nothing."""
    by_name = _by_name(grants, use)
    missing = [claim for claim in claims if party(claim.party) not in by_name]
    if missing:
        names = ", ".join(
            f"{claim.party} ({claim.share:g} %)" if claim.share is not None else claim.party
            for claim in missing
        )
        return RightAnswer(
            "unknown",
            reasons=(f"the {right} is also claimed by {names}, who granted nothing",),
            unknown_because="share_not_granted",
        )
    stated = round(sum(claim.share for claim in claims if claim.share is not None), 4)
    all_stated = all(claim.share is not None for claim in claims)
    if all_stated and stated < 100 - SHARE_TOLERANCE:
        return RightAnswer(
            "unknown",
            reasons=(f"only {stated:g} % of the {right} is claimed and granted",),
            unknown_because="share_not_granted",
        )
    needed = {grant.id: grant for grant in [by_name[party(claim.party)] for claim in claims]}
    return _granted(list(needed.values()), use)


def _by_name(grants: list[Grant], use: Use) -> dict[str, Grant]:
    """Return, for each party that grants or is granted for, the grant that asks for least."""
    found: dict[str, Grant] = {}
    for grant in grants:
        for name in (grant.licensor, *grant.chain_of_title):
            name = party(name)
            held = found.get(name)
            if held is None or len(_conditions(grant, use)) < len(_conditions(held, use)):
                found[name] = grant
    return found


def _granted(grants: list[Grant], use: Use) -> RightAnswer:
    conditions = {condition for grant in grants for condition in _conditions(grant, use)}
    asked = tuple(sorted(conditions)) if conditions else ()
    own = all(grant.basis == "own" for grant in grants)
    verb = "is the developer's own" if own else "allows it"
    reasons = [f"grant {grant.id} by {grant.licensor} {verb} ({use.purpose})" for grant in grants]
    if not use.licensees and not own:
        reasons += [f"given to {name}; nobody has said who {name} is" for name in _licensees(grants)]
    return RightAnswer(
        "constrained" if asked else "allowed",
        basis="own" if own else "grant",
        grant=grants[0].id,
        reasons=tuple(reasons),
        conditions=asked,
        clauses=tuple([grant.document for grant in grants if grant.document]),
        grants=tuple([grant.id for grant in grants]),
    )


def _licensees(grants: list[Grant]) -> Iterable[str]:
    return dict.fromkeys(grant.licensee for grant in grants if grant.basis != "own" and grant.licensee)


def _conditions(grant: Grant, use: Use) -> tuple[str, ...]:
    if grant.model_scope and not use.model:
        return (*grant.conditions, "model-scope")
    return grant.conditions


def _miss(grant: Grant, use: Use) -> str:
    """Say why a grant does not cover a use; empty where it does. Territory is settled before."""
    if use.purpose not in grant.purposes:
        return f"covers {', '.join(sorted(grant.purposes)) or 'nothing'}, not {use.purpose}"
    if (use.commercial or use.purpose == "output_commercial") and not grant.commercial:
        return "covers non-commercial use only"
    if grant.revoked_at is not None and grant.revoked_at <= use.at:
        return f"was revoked at {grant.revoked_at.astimezone(UTC).isoformat()}"
    if grant.given_at is not None and use.at < grant.given_at:
        return f"was given again only at {grant.given_at.astimezone(UTC).isoformat()}"
    until = grant.valid_until
    if grant.sunset_on is not None and use.purpose in WEIGHTS_IN_USE:
        until = grant.sunset_on
    if not in_force(grant.valid_from, until, use.on):
        return out_of_term("", grant.valid_from, until, use.on).strip()
    if use.licensees and grant.licensee and party(grant.licensee) not in _folded(use.licensees):
        return f"was given to {grant.licensee}, not to {', '.join(sorted(use.licensees))}"
    if grant.model_scope and use.model and not in_scope(use.model, grant.model_scope):
        return f"is for {', '.join(sorted(grant.model_scope))}, not {use.model}"
    return ""


def in_scope(model: str, scope: Collection[str]) -> bool:
    """Say whether what is meant for some models is meant for this one, or this version of it.

    Parameters
    ----------
    model : str
        ``NAME@VERSION``, or ``NAME`` for every version.
    scope : collection of str
        Names in the same form: ``m`` is every version of m, ``m@2`` only that one.
    """
    return model in scope or model.partition("@")[0] in scope


@lru_cache(maxsize=1024)
def _folded(names: frozenset[str]) -> frozenset[str]:
    return frozenset(party(name) for name in names)

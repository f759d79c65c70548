"""Whether an opt-out speaks of an address."""

from __future__ import annotations

from provenance.rights.optouts import ai_txt, aipref, robots, tdmrep
from provenance.rights.optouts.addresses import WHOLE_SITE, origin, path_of


def binds(
    source: str,
    location: str,
    raw: str,
    purposes: frozenset[str],
    url: str,
    *,
    own_agent: str = robots.OWN_AGENT,
) -> bool:
    """Say whether an opt-out that was found in a public place speaks of an address.

    Parameters
    ----------
    source, location, raw, purposes
        As in `Finding`. A file of rules is weighed whole, so that a rule that opens a folder of a closed site counts.
    url : str
        Where a recording was got from.
    own_agent : str
        The asker's product token, for robots.txt.

    Returns
    -------
    bool
        False for another host, for an address that is none, and for what no address was given with.
    """
    if not origin(location) or origin(location) != origin(url):
        return False
    if source == "tdmrep_file":
        rule = tdmrep.deciding(tdmrep.rules_of(raw)[0], url)
        return rule is not None and rule.reserved and tdmrep.location_of(rule, location) == location
    if source == "robots":
        return bool(robots.denied(raw, url, purposes, own_agent=own_agent))
    if source == "ai_txt":
        return ai_txt.denied(raw, url)
    if source == "aipref" and path_of(location) == WHOLE_SITE:
        return aipref.denies(raw, url, purposes)
    return path_of(location) == path_of(url)

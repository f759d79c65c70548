"""Opt-outs as rights holders publish them: read from files, headers, pages and signed assertions.

Nothing here opens a connection or a database. A reader takes what was fetched, and when there is something in it,
gives findings; `binds` says whether a finding speaks of a given address.
"""

from provenance.rights.optouts.binding import binds
from provenance.rights.optouts.findings import Finding, OptOutError, Reading, Snapshot
from provenance.rights.optouts.reading import KINDS, kind_of, read

__all__ = ["KINDS", "Finding", "OptOutError", "Reading", "Snapshot", "binds", "kind_of", "read"]

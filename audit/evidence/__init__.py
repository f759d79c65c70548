"""What the rows say about each feature of a framework: one collector a feature, registered by id.

A collector reads facts that were gathered once and answers, or returns None where the rows say nothing. It never
answers ``met`` or ``partly`` without naming the rows that it rests on.
"""

from audit.evidence.facts import Facts, gather
from audit.evidence.registry import COLLECTORS, collect

__all__ = ["COLLECTORS", "Facts", "collect", "gather"]

"""Periods, countries and purposes in a form whose overlap PostgreSQL can index and exclude."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import DateRangeField
from django.db import models
from django.db.models import Func
from psycopg.types.multirange import Int4Multirange
from psycopg.types.range import Int4Range

from provenance.rights.territory import COUNTRIES, countries
from provenance.rights.values import PURPOSES

_COUNTRY_NUMBER = {code: number for number, code in enumerate(sorted(COUNTRIES))}


class DateRange(Func):
    """``daterange(from, until, '[)')``."""

    function = "daterange"
    output_field = DateRangeField()


if TYPE_CHECKING:
    _Field = models.Field[Int4Multirange, Int4Multirange]
else:
    _Field = models.Field


class MultiRangeField(_Field):
    """An ``int4multirange``: a set of small numbers, compared with ``&&`` in exclusion constraints."""

    def db_type(self, connection: Any) -> str:
        """Return PostgreSQL's name of the type."""
        return "int4multirange"


def whole_world() -> Int4Multirange:
    """Return the set of all countries."""
    return country_ranges(())


def every_purpose() -> Int4Multirange:
    """Return the set of all purposes."""
    return purpose_ranges(PURPOSES)


def country_ranges(codes: Iterable[str]) -> Int4Multirange:
    """Return the countries that territory codes cover, as numbers of the sorted list of countries."""
    return _country_ranges(tuple(codes))


@lru_cache(maxsize=4096)
def _country_ranges(codes: tuple[str, ...]) -> Int4Multirange:
    return _ranges(_COUNTRY_NUMBER[code] for code in countries(codes))


def purpose_ranges(purposes: Iterable[str]) -> Int4Multirange:
    """Return purposes as their places in the contract's list; those that nobody knows are left out."""
    return _ranges(PURPOSES.index(purpose) for purpose in purposes if purpose in PURPOSES)


def _ranges(numbers: Iterable[int]) -> Int4Multirange:
    runs: list[Int4Range] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1].upper == number:
            runs[-1] = Int4Range(runs[-1].lower, number + 1)
        else:
            runs.append(Int4Range(number, number + 1))
    return Int4Multirange(runs)

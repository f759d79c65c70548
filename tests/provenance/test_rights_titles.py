"""What people call a licence."""

import pytest

from provenance.rights.terms import catalogue
from provenance.rights.territory import COUNTRIES, GROUPS, NAMES
from provenance.rights.territory import spelled as place
from provenance.rights.titles import spelled, title


class TestTitle:
    @pytest.mark.parametrize(
        ("expression", "name"),
        [
            ("LAL-1.3", "Free Art License 1.3"),
            ("LicenseRef-unversioned-LAL", "Free Art License, version not stated"),
            (
                "LicenseRef-unversioned-CC-BY-SA",
                "Creative Commons Attribution-ShareAlike, version not stated",
            ),
            ("LicenseRef-unversioned-GPL", "GNU General Public License, version not stated"),
            ("CC-BY-3.0-US", "Creative Commons Attribution 3.0 (US wording)"),
            ("GPL-2.0-or-later", "GNU General Public License v2 or later"),
            ("GPL-2.0+", "GNU General Public License v2 or later"),
            ("MIT OR Zlib", "MIT License, or zlib License"),
            ("(MIT OR Zlib) AND ISC", "(MIT License, or zlib License), and ISC License"),
            (
                "GPL-3.0 WITH Autoconf-exception-3.0",
                "GNU General Public License v3 with Autoconf-exception-3.0",
            ),
            ("LicenseRef-unrecognised-free-as-in-beer", "not recognised: “free as in beer”"),
        ],
    )
    def test_is_the_catalogues(self, expression: str, name: str) -> None:
        assert title(expression) == name

    @pytest.mark.parametrize("expression", ["Nobody-1.0", "no expression at all", ""])
    def test_of_what_nobody_here_knows_is_what_was_written(self, expression: str) -> None:
        assert title(expression) == expression

    @pytest.mark.parametrize("key", catalogue())
    def test_of_each_licence_is_its_name(self, key: str) -> None:
        assert title(key) == catalogue()[key].name


class TestSpelled:
    def test_puts_the_identifier_behind_the_name(self) -> None:
        assert spelled("Zlib") == "zlib License (Zlib)"

    def test_says_nothing_twice(self) -> None:
        assert spelled("Nobody-1.0") == "Nobody-1.0"


class TestPlaces:
    def test_have_a_name_each(self) -> None:
        assert {code for code in NAMES if code in COUNTRIES} == COUNTRIES
        assert all(len(name) > 3 and name.strip() == name for name in NAMES.values())
        assert len(set(NAMES.values())) == len(NAMES)

    def test_that_are_groups_by_initials_say_what_these_stand_for(self) -> None:
        assert {code for code in GROUPS if len(code) <= 4} - {"ASIA"} <= set(NAMES)

    @pytest.mark.parametrize(
        ("code", "said"),
        [("DE", "DE (Germany)"), ("EU", "EU (European Union)"), ("BALTICS", "Baltics"), ("QQ", "QQ")],
    )
    def test_are_written_behind_their_codes(self, code: str, said: str) -> None:
        assert place(code) == said

"""Territories, identifiers, licence names, the catalogue and policies."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.rights import expressions, identifiers, policy, terms, territory, texts
from provenance.rights.errors import CatalogueError, PolicyError
from provenance.rights.values import PURPOSES, strictest

CODES = st.lists(st.sampled_from(["WORLD", "EU", "EEA", "BENELUX", "DE", "US", "CH"]), min_size=1, max_size=4)


class TestTerritory:
    def test_knows_the_249_countries_and_the_27_of_the_union(self) -> None:
        assert len(territory.COUNTRIES) == 249
        assert len(territory.countries(("EU",))) == 27
        assert "GB" not in territory.countries(("EU",))

    @pytest.mark.parametrize("code", ["", "WORLD", "worldwide", "2136", " ww "])
    def test_spells_the_world_in_many_ways(self, code: str) -> None:
        assert territory.countries((code,)) == territory.COUNTRIES

    def test_starts_from_the_world_where_only_exclusions_stand(self) -> None:
        assert territory.countries(("-US",)) == territory.COUNTRIES - {"US"}

    @pytest.mark.parametrize("written", ["FR DE", "fr/deu", "WORLD -US", "EU + CH", "FR | 276"])
    def test_says_how_several_codes_are_set_apart(self, written: str) -> None:
        with pytest.raises(
            territory.UnknownTerritory, match="2 territories, which are set apart by semicolons"
        ):
            territory.normalise(written)

    @pytest.mark.parametrize("written", ["FR ZZ", "Latin Neverland", "/"])
    def test_says_so_of_codes_alone(self, written: str) -> None:
        with pytest.raises(territory.UnknownTerritory, match="is neither"):
            territory.normalise(written)

    @pytest.mark.parametrize(
        ("written", "words"),
        [("Eurpe", ": is EUROPE meant"), ("Atlantis", ", such as DE, EU or SOUTH-AMERICA$")],
    )
    def test_names_what_an_unknown_one_is_like_and_no_long_list(self, written: str, words: str) -> None:
        with pytest.raises(territory.UnknownTerritory, match=f"groups of them{words}") as told:
            territory.normalise(written)
        assert len(str(told.value)) < 120

    def test_names_the_unknown_code(self) -> None:
        with pytest.raises(territory.UnknownTerritory, match="XX"):
            territory.countries(("XX",))

    @pytest.mark.parametrize(
        ("code", "group", "holds", "not_holds"),
        [
            ("2120", "2EU", {"FR", "CH", "RU", "GB"}, {"TR", "US"}),
            ("2123", "2EN", {"FR", "HR"}, {"CH", "GB", "NO"}),
            ("2121", "2EM", {"FR", "NO", "IS", "LI"}, {"CH", "GB"}),
            ("2118", "2CI", {"KZ", "AM"}, {"FR", "UA", "GE"}),
            ("2110", "2BE", {"BE", "NL", "LU"}, {"DE"}),
            ("2124", "2GC", {"DE", "AT", "CH"}, {"LI"}),
            ("2129", "2NA", {"US", "CA", "MX"}, {"PA"}),
        ],
    )
    def test_knows_the_groups_of_cisac_by_number_and_letters(
        self, code: str, group: str, holds: set[str], not_holds: set[str]
    ) -> None:
        assert territory.countries((code,)) == territory.countries((group,))
        assert holds <= territory.countries((code,))
        assert not not_holds & territory.countries((code,))

    @pytest.mark.parametrize("code", ["DE", "de", "DEU", "276", "0276", " Deu "])
    def test_knows_a_country_by_letters_and_numbers(self, code: str) -> None:
        assert territory.normalise(code) == "DE"

    def test_gives_every_code_to_one_territory(self) -> None:
        for code in ("4", "004", "0004", "AFG"):
            assert territory.normalise(code) == "AF"
        groups = {territory.normalise(str(number)) for number in range(2100, 2135)}
        assert len(groups) == 35
        assert groups <= set(territory.GROUPS)

    def test_holds_countries_alone_in_every_group(self) -> None:
        assert all(members and members <= territory.COUNTRIES for members in territory.GROUPS.values())

    @given(CODES, CODES)
    def test_including_more_never_covers_less(self, one: list[str], other: list[str]) -> None:
        assert territory.countries(tuple(one)) <= territory.countries((*one, *other))

    @given(CODES, CODES)
    def test_excluding_never_covers_more(self, one: list[str], other: list[str]) -> None:
        less = territory.countries((*one, *(f"-{code}" for code in other)))
        assert less <= territory.countries(tuple(one))
        assert not less & territory.countries(tuple(other))

    @given(CODES, st.lists(CODES, max_size=3))
    def test_atoms_are_told_apart_by_nothing(self, use: list[str], others: list[list[str]]) -> None:
        region = territory.countries(tuple(use))
        regions = [territory.countries(tuple(one)) for one in others]
        places = territory.atoms(region, regions)
        signs = {place: tuple(place in one for one in regions) for place in places}
        assert len(set(signs.values())) == len(places)
        assert {tuple(country in one for one in regions) for country in region} == set(signs.values())


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("kind", "written", "compact"),
        [
            ("isrc", "US-RC1-76-07839", "USRC17607839"),
            ("isrc", "ISRC USRC17607839", "USRC17607839"),
            ("isrc", "IS-RC1-23-45678", "ISRC12345678"),
            ("iswc", "T-034.524.680-1", "T0345246801"),
            ("ipi_name", "00014107338", "00014107338"),
            ("ipi_base", "I-000000229-7", "I0000002297"),
            ("isni", "0000 0001 2281 955X", "000000012281955X"),
            ("grid", "A1-2425G-ABC1234002-M", "A12425GABC1234002M"),
            ("dpid", "PADPIDA3897722461G", "PADPIDA3897722461G"),
            ("ean", "4006381333931", "4006381333931"),
        ],
    )
    def test_accept_published_ones(self, kind: str, written: str, compact: str) -> None:
        checked = identifiers.CHECKS[kind](written)
        assert (checked.valid, checked.compact) == (True, compact)

    @pytest.mark.parametrize(
        ("kind", "written"),
        [
            ("iswc", "T-034.524.680-2"),
            ("ipi_name", "00014107339"),
            ("ipi_base", "I-000000229-8"),
            ("isni", "0000000122819551"),
            ("grid", "A1-2425G-ABC1234002-N"),
            ("dpid", "PADPIDA3897722461H"),
            ("ean", "4006381333932"),
            ("isrc", "USRC1760783"),
        ],
    )
    def test_keep_invalid_ones_as_they_are(self, kind: str, written: str) -> None:
        checked = identifiers.CHECKS[kind](written)
        assert not checked.valid
        assert checked.compact == written
        assert checked.why

    @pytest.mark.parametrize("kind", sorted(identifiers.CHECKS.keys() - {"isrc"}))
    @given(data=st.data())
    def test_are_made_valid_by_one_ending_alone(self, kind: str, data: st.DataObject) -> None:
        """For any body there is exactly one check character; one wrong character is seen where the rule can."""
        head, alphabet, n_body, n_check, tail = RULES[kind]
        body = data.draw(st.text(alphabet, min_size=n_body, max_size=n_body))
        ends = ["".join(one) for one in itertools.product(tail, repeat=n_check)]
        valid = [end for end in ends if identifiers.CHECKS[kind](head + body + end).valid]
        assert len(valid) == 1
        place = data.draw(st.integers(0, n_body - 1))
        other = data.draw(st.sampled_from([char for char in alphabet if char != body[place]]))
        changed = head + body[:place] + other + body[place + 1 :] + valid[0]
        if kind in ("iswc", "ipi_base"):
            seen = (place + 1) * (int(other) - int(body[place])) % 10 != 0
            assert identifiers.CHECKS[kind](changed).valid is not seen
        else:
            assert not identifiers.CHECKS[kind](changed).valid

    @pytest.mark.parametrize(
        ("kind", "written"),
        [
            ("isrc", "USRC1760783９"),
            ("isrc", "ßZ039800212"),
            ("iswc", "T٠٣٤٥٢٤٦٨٠1"),
            ("ipi_name", "٠٠٠١٤١٠٧٣38"),
            ("ean", "４００６３８１３３３９３1"),
            ("isni", "00000001 2281955Ⅹ"),
            ("isrc", ""),
        ],
    )
    def test_are_not_read_from_other_scripts(self, kind: str, written: str) -> None:
        checked = identifiers.CHECKS[kind](written)
        assert (checked.valid, checked.compact) == (False, written)


DIGITS = "0123456789"
ALPHANUMERIC = f"{DIGITS}ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RULES = {
    "iswc": ("T", DIGITS, 9, 1, DIGITS),
    "ipi_name": ("", DIGITS, 9, 2, DIGITS),
    "ipi_base": ("I", DIGITS, 9, 1, DIGITS),
    "isni": ("", DIGITS, 15, 1, f"{DIGITS}X"),
    "grid": ("A1", ALPHANUMERIC, 15, 1, ALPHANUMERIC),
    "dpid": ("PADPIDA", ALPHANUMERIC, 10, 1, ALPHANUMERIC),
    "ean": ("", DIGITS, 12, 1, DIGITS),
}
"""What stands before the body, the body's alphabet and length, the number and the alphabet of check characters.

An ISRC has none.
"""


class TestExpressions:
    @pytest.mark.parametrize(
        ("raw", "normalised"),
        [
            ("GPL-2+", "GPL-2.0-or-later"),
            ("GPL-2.0", "GPL-2.0-only"),
            ("GPL-3.0+ and CC-BY-SA-3.0", "GPL-3.0-or-later AND CC-BY-SA-3.0"),
            ("GPL-3 or CC-BY-3.0", "GPL-3.0-only OR CC-BY-3.0"),
            ("GPL-2 or GPL-3, and BSD-3-clause", "(GPL-2.0-only OR GPL-3.0-only) AND BSD-3-Clause"),
            ("CC-BY-SA-3.0+", "CC-BY-SA-3.0+"),
            ("Free-Art-License-1.2", "LAL-1.2"),
            ("GPL-3+-with-font-exception", "GPL-3.0-or-later WITH Font-exception-2.0"),
            ("Perl", "GPL-1.0-or-later OR Artistic-1.0"),
            ("Expat", "MIT"),
            ("public-domain", "LicenseRef-public-domain"),
            ("JPEG-License", "LicenseRef-dep5-JPEG-License"),
        ],
    )
    def test_normalise_debian_short_names(self, raw: str, normalised: str) -> None:
        assert expressions.normalise_dep5(raw) == normalised

    @pytest.mark.parametrize(
        ("raw", "normalised"),
        [
            ("CC-BY 3.0", "CC-BY-3.0"),
            ("http://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
            ("https://creativecommons.org/licenses/by/3.0/de/", "CC-BY-3.0-DE"),
            ("http://creativecommons.org/licenses/sampling+/1.0/", "LicenseRef-CC-Sampling-Plus-1.0"),
            ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0", "CC-BY-NC-SA-4.0"),
            ("Creative Commons BY", "LicenseRef-unversioned-CC-BY"),
            ("Free Art License", "LicenseRef-unversioned-LAL"),
            ("GPL", "GPL-1.0-or-later"),
            ("GNU General Public License, version 2 or any later version", "GPL-2.0-or-later"),
            ("All rights reserved", "LicenseRef-all-rights-reserved"),
            ("ask Bob", "LicenseRef-unrecognised-ask-Bob"),
            ("", ""),
        ],
    )
    def test_recognise_what_tags_say(self, raw: str, normalised: str) -> None:
        assert expressions.normalise_text(raw) == normalised

    @pytest.mark.parametrize("raw", ["MIT AND (", "a b c", "OR", "(((", "GPL-2.0-only WITH"])
    def test_keep_nonsense_out_of_the_catalogue(self, raw: str) -> None:
        normalised = expressions.normalise(raw)
        assert normalised.startswith(expressions.UNRECOGNISED)
        assert not any(
            expressions.licences_of(leaf) for leaf in expressions.leaves(expressions.parse(normalised))
        )

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("GPL-1.0-or-later", "GPL-2.0-only", True),
            ("LicenseRef-unversioned-LAL", "LAL-1.2", True),
            ("CC-BY-3.0", "GPL-3.0-only OR CC-BY-3.0", True),
            ("CC-BY-3.0", "CC-BY-SA-3.0", False),
            ("CC-BY-3.0", "CC-BY-4.0", False),
            ("LicenseRef-x", "LicenseRef-y", False),
        ],
    )
    def test_say_whether_two_may_mean_the_same(self, one: str, other: str, same: bool) -> None:
        assert expressions.compatible(one, other) is same

    @given(st.text(max_size=60))
    def test_never_fail_on_what_people_write(self, raw: str) -> None:
        for normalise in (expressions.normalise, expressions.normalise_dep5, expressions.normalise_text):
            spelled = normalise(raw)
            assert spelled == "" or expressions.parse(spelled)


class TestTexts:
    def test_reads_the_clause_that_tells_bsd_apart(self) -> None:
        grant = (
            "Redistribution and use in source and binary forms, with or without modification, are permitted."
        )
        assert texts.licences_in(grant) == ["BSD-2-Clause"]
        assert texts.licences_in(f"{grant} Neither the name of the author may be used.") == ["BSD-3-Clause"]

    def test_leaves_out_the_packaging(self) -> None:
        text = (
            "Copyright: 2003 A. Musician\n\nLicense:\n\n  This is free software under the GNU General Public\n"
            "  License version 2 or any later version.\n\n"
            "The Debian packaging is licensed under the GNU General Public License version 3.\n"
        )
        assert texts.read_text(text).expression == "GPL-2.0-or-later"

    def test_lets_a_sentence_about_music_outrank_the_program(self) -> None:
        text = (
            "License:\n  GNU General Public License version 2 or any later version.\n\n"
            "Most media files (images, sounds, musics) are distributed under Creative Commons BY-SA 3.0.\n"
        )
        reading = texts.read_text(text)
        assert (reading.expression, reading.about_media) == ("CC-BY-SA-3.0", True)

    def test_recognises_nothing_in_prose(self) -> None:
        assert texts.read_text("Do what is right.").expression == ""

    @pytest.mark.parametrize(
        ("kind", "version", "expression"),
        [
            (
                "General",
                "either version 2 of the License, or (at your option) any later version",
                "GPL-2.0-or-later",
            ),
            ("General", "version 2 dated June, 1991", "GPL-2.0-only"),
            ("General", "either version 3, or (at your option) any later version", "GPL-3.0-or-later"),
            ("Lesser General", "version 2.1 of the License", "LGPL-2.1-only"),
            ("Affero General", "either version 3 of the License, or any later version", "AGPL-3.0-or-later"),
        ],
    )
    def test_reads_the_version_behind_who_published_it(
        self, kind: str, version: str, expression: str
    ) -> None:
        text = (
            "This package is free software; you can redistribute it and/or modify it\nunder the terms of the "
            f"GNU {kind} Public License as published by\nthe Free Software Foundation; {version}."
        )
        assert texts.read_text(text).expression == expression

    def test_takes_the_packagers_for_no_holders_of_the_music(self) -> None:
        text = (
            "This package was debianized by Ann Packer. The license of the packaging is:\n\n\n"
            "Copyright 2004-2016 by Ann Packer, Bob Packer\n\nIt was downloaded from http://x.example\n\n"
            "Upstream Authors:\n    Cyn Maker (cyn@x.example)\n    Dan Maker <dan@x.example>\n\nCopyright:\n\n"
            "   Licensed under the GNU General Public License, version 2.\n"
        )
        assert texts.read_text(text).holders == ("Cyn Maker", "Dan Maker")

    def test_takes_authors_for_holders_only_where_no_copyright_is_stated(self) -> None:
        text = "Upstream Author: Cyn Maker\n\nCopyright (C) 2003 by Dan Maker\n\nLicense: MIT\n"
        assert texts.read_text(text).holders == ("Dan Maker",)

    @pytest.mark.parametrize(
        "raw", ["Copyright (c) 2005 Dick Huijer", "© 2005-2007, Dick Huijer <d@h.nl>", "2005 Dick Huijer"]
    )
    def test_cleans_holders(self, raw: str) -> None:
        assert texts.clean_holder(raw) == "Dick Huijer"


class TestCatalogue:
    def test_states_every_axis_of_every_licence_with_its_clause(self) -> None:
        licences = terms.catalogue()
        assert len(licences) >= 45
        for licence in licences.values():
            assert set(licence.terms) == set(terms.AXES)
            assert all(term.clause for term in licence.terms.values())
            assert licence.name

    def test_is_signed_by_nobody(self) -> None:
        for licence in terms.catalogue().values():
            assert (licence.reviewed_by, licence.reviewed_on) == ("", "")
            assert licence.note == "not reviewed by counsel"

    def test_holds_the_creative_commons_family(self) -> None:
        for version in ("2.0", "2.5", "3.0", "4.0"):
            for kind in ("BY", "BY-SA", "BY-NC", "BY-ND", "BY-NC-SA", "BY-NC-ND"):
                licence = terms.catalogue()[f"CC-{kind}-{version}"]
                commercial = "not_allowed" if "NC" in kind else "allowed"
                assert licence.terms["commercial"].value == commercial
                assert ("same-licence" in licence.terms["redistribution"].conditions) == ("SA" in kind)

    def test_marks_share_alike_and_copyleft_as_contested(self) -> None:
        for licence in terms.catalogue().values():
            if licence.licence_class in ("share_alike", "copyleft"):
                assert licence.terms["ai_generative_training"].contested in (
                    "share-alike-training",
                    "copyleft-training",
                )

    @pytest.mark.parametrize(
        ("line", "broken", "message"),
        [
            ("value: allowed", "value: perhaps", "value 'perhaps'"),
            ("class: public_domain", "class: nice", "class 'nice'"),
            ("id: CC0-1.0", "id: CC0-2.0", "file's name"),
            ("  commercial:", "  commerce:", "'commercial' is missing"),
        ],
    )
    def test_names_what_is_wrong_in_a_file(
        self, tmp_path: Path, line: str, broken: str, message: str
    ) -> None:
        text = (terms.HERE / "catalogue" / "CC0-1.0.yaml").read_text()
        assert line in text
        path = tmp_path / "CC0-1.0.yaml"
        path.write_text(text.replace(line, broken, 1))
        with pytest.raises(CatalogueError, match=message):
            terms.read_licence(path)

    def test_refuses_conditions_without_a_sentence(self, tmp_path: Path) -> None:
        text = (terms.HERE / "catalogue" / "MIT.yaml").read_text()
        path = tmp_path / "MIT.yaml"
        path.write_text(text.replace("[notice]", "[a-song]"))
        with pytest.raises(CatalogueError, match="a-song"):
            terms.read_licence(path)


class TestPolicy:
    def test_survives_json(self) -> None:
        for shipped in policy.SHIPPED.values():
            assert policy.policy_from_json(shipped.as_json()) == shipped
            assert policy.policy_from_json(shipped.as_json()).sha256 == shipped.sha256

    def test_hashes_differ_with_readings(self) -> None:
        assert policy.DEFAULT.sha256 != policy.STRICT.sha256

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"name": "x", "readings": {"is-it-art": "strict"}}, "no question 'is-it-art'"),
            ({"name": "x", "readings": {"copyleft-training": "mild"}}, "no reading 'mild'"),
            ({"name": "x", "overrides": [{"licence": "Nope", "value": "allowed"}]}, "not in the catalogue"),
            ({"name": "x", "overrides": [{"licence": "MIT", "value": "fine"}]}, "value 'fine'"),
            ({"name": "x", "overrides": [{"licence": "MIT", "value": "constrained"}]}, "conditions belong"),
            ({"name": "x", "format": 9}, "format 9"),
            ({"name": "x", "colour": "red"}, "unknown field colour"),
            ({}, "can't be read"),
            ("{", "not JSON"),
            ("[]", "one JSON object"),
        ],
    )
    def test_says_what_is_wrong(self, fields: dict[str, object] | str, message: str) -> None:
        with pytest.raises(PolicyError, match=message):
            policy.policy_from_json(fields)

    def test_overrides_one_licence_on_one_axis(self) -> None:
        from provenance.rights.readings import read

        own = policy.policy_from_json(
            {
                "name": "own",
                "overrides": [
                    {
                        "licence": "GPL-2.0",
                        "axis": "ai_generative_training",
                        "value": "allowed",
                        "reason": "memo 7",
                    }
                ],
            }
        )
        assert read("GPL-2.0-only", "ai_generative_training", True, own).answer == "allowed"
        assert "memo 7" in read("GPL-2.0-only", "ai_generative_training", True, own).reasons
        assert read("GPL-2.0-only", "redistribution", True, own).answer == "constrained"
        assert read("GPL-3.0-only", "ai_generative_training", True, own).answer == "constrained"

    def test_of_commercial_output_always_asks_for_commercial_use(self) -> None:
        from provenance.rights.readings import read

        fields = {
            "licence": "CC-BY-NC-4.0",
            "axis": "output_commercial",
            "value": "allowed",
            "reason": "memo 7",
        }
        own = policy.policy_from_json({"name": "own", "overrides": [fields]})
        assert read("CC-BY-NC-4.0", "output_commercial", False, own).answer == "not_allowed"

    @pytest.mark.parametrize("purpose", PURPOSES)
    def test_reads_an_unversioned_family_by_its_strictest_version(self, purpose: str) -> None:
        from provenance.rights.readings import read

        versions = [f"CC-BY-SA-{version}" for version in ("1.0", "2.0", "2.5", "3.0", "4.0")]
        answers = [read(one, purpose, True, policy.STRICT).answer for one in versions]
        family = read("LicenseRef-unversioned-CC-BY-SA", purpose, True, policy.STRICT)
        assert family.answer == strictest(*answers)

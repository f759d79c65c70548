"""Licences as people write them, and what they are read as: each row was looked at by a person who knows the texts."""

from __future__ import annotations

import pytest

from provenance.rights.expressions import UNRECOGNISED, leaves, licences_of, normalise, normalise_dep5, parse
from provenance.rights.policy import DEFAULT
from provenance.rights.readings import read
from provenance.rights.terms import UNVERSIONED, catalogue
from provenance.rights.wordings import LIMITED

WRITTEN = [
    ("CC BY-SA 3.0", "CC-BY-SA-3.0"),
    ("CC-BY-SA-2.0-UK", "CC-BY-SA-2.0-UK"),
    ("CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-DE"),
    ("CC-BY-3.0-US", "CC-BY-3.0-US"),
    ("CC-BY-2.5-CH", "CC-BY-2.5-CH"),
    ("CC-BY-NC-SA-2.0-FR", "CC-BY-NC-SA-2.0-FR"),
    ("CC-BY-NC-SA-2.0-UK", "CC-BY-NC-SA-2.0-UK"),
    ("CC-BY-NC-ND-3.0-DE", "CC-BY-NC-ND-3.0-DE"),
    ("CC-BY-SA-3.0-IGO", "CC-BY-SA-3.0-IGO"),
    ("CC-BY-ND-3.0-DE", "CC-BY-ND-3.0-DE"),
    ("CC BY-SA 3.0 DE", "CC-BY-SA-3.0-DE"),
    ("CC BY 3.0 US", "CC-BY-3.0-US"),
    ("CC-BY 3.0", "CC-BY-3.0"),
    ("CC-BY3.0", "CC-BY-3.0"),
    ("CC-BY-3", "CC-BY-3.0"),
    ("CCBY 4.0", "CC-BY-4.0"),
    ("CC-BY", "LicenseRef-unversioned-CC-BY"),
    ("CC BY", "LicenseRef-unversioned-CC-BY"),
    ("CC-BY-SA", "LicenseRef-unversioned-CC-BY-SA"),
    ("cc-by-sa 4.0", "CC-BY-SA-4.0"),
    ("Creative Commons Attribution", "LicenseRef-unversioned-CC-BY"),
    ("Creative Commons Attribution 3.0", "CC-BY-3.0"),
    ("Creative Commons Attribution 3.0 Unported", "CC-BY-3.0"),
    ("Creative Commons Attribution-ShareAlike 3.0 Unported License", "CC-BY-SA-3.0"),
    ("Creative Commons Attribution-Share Alike 2.5 Generic", "CC-BY-SA-2.5"),
    ("Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
    ("Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0"),
    ("Attribution-NonCommercial-NoDerivatives 4.0 International", "CC-BY-NC-ND-4.0"),
    ("Creative Commons Attribution-NonCommercial-NoDerivs 3.0", "CC-BY-NC-ND-3.0"),
    ("Creative Commons BY-NC-SA", "LicenseRef-unversioned-CC-BY-NC-SA"),
    ("CC BY-NC", "LicenseRef-unversioned-CC-BY-NC"),
    ("CC-BY-NC 4.0", "CC-BY-NC-4.0"),
    ("CC0", "CC0-1.0"),
    ("CC-0", "CC0-1.0"),
    ("CC0 1.0 Universal", "CC0-1.0"),
    ("CC0-1.0", "CC0-1.0"),
    ("Creative Commons Zero", "CC0-1.0"),
    ("Creative Commons Zero v1.0 Universal", "CC0-1.0"),
    ("Public Domain", "LicenseRef-public-domain"),
    ("public domain", "LicenseRef-public-domain"),
    ("PD", "LicenseRef-public-domain"),
    ("Public Domain Mark 1.0", "CC-PDM-1.0"),
    ("Public Domain Dedication", "LicenseRef-public-domain"),
    ("CC Sampling Plus 1.0", "LicenseRef-CC-Sampling-Plus-1.0"),
    ("Sampling Plus 1.0", "LicenseRef-CC-Sampling-Plus-1.0"),
    ("Sampling+", "LicenseRef-CC-Sampling-Plus-1.0"),
    ("CC-Sampling+-1.0", "LicenseRef-CC-Sampling-Plus-1.0"),
    ("CC NonCommercial Sampling Plus 1.0", "LicenseRef-CC-NC-Sampling-Plus-1.0"),
    ("http://creativecommons.org/licenses/by/3.0/", "CC-BY-3.0"),
    ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
    ("https://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
    ("https://creativecommons.org/licenses/by-sa/3.0/de/", "CC-BY-SA-3.0-DE"),
    ("http://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "CC-BY-SA-3.0-DE"),
    ("https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode", "CC-BY-NC-ND-4.0"),
    ("http://creativecommons.org/licenses/by-sa/2.0/uk/", "CC-BY-SA-2.0-UK"),
    ("http://creativecommons.org/licenses/by/3.0/us/legalcode", "CC-BY-3.0-US"),
    ("creativecommons.org/licenses/by/3.0", "CC-BY-3.0"),
    ("www.creativecommons.org/licenses/by-nc/2.5/", "CC-BY-NC-2.5"),
    ("http://creativecommons.org/licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0"),
    ("http://creativecommons.org/licenses/sa/1.0/", "CC-SA-1.0"),
    ("http://creativecommons.org/licenses/sampling+/1.0/", "LicenseRef-CC-Sampling-Plus-1.0"),
    ("http://creativecommons.org/licenses/nc-sampling+/1.0/", "LicenseRef-CC-NC-Sampling-Plus-1.0"),
    ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
    ("http://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
    ("http://creativecommons.org/licenses/publicdomain/", "CC-PDDC"),
    ("http://creativecommons.org/licenses/by-sa/", "LicenseRef-unversioned-CC-BY-SA"),
    ("https://creativecommons.org/licenses/by/3.0/igo/", "CC-BY-3.0-IGO"),
    ("https://creativecommons.org/licenses/by-sa/4.0/deed.xx", "CC-BY-SA-4.0"),
    ("GPL", "GPL-1.0-or-later"),
    ("GPLv2", "GPL-2.0-only"),
    ("GPLv2+", "GPL-2.0-or-later"),
    ("GPL-2", "GPL-2.0-only"),
    ("GPL-2+", "GPL-2.0-or-later"),
    ("GPL-2.0", "GPL-2.0-only"),
    ("GPL-2.0+", "GPL-2.0-or-later"),
    ("GPL-2.0-only", "GPL-2.0-only"),
    ("GPL-2.0-or-later", "GPL-2.0-or-later"),
    ("GPL 2", "GPL-2.0-only"),
    ("GPL 2.0", "GPL-2.0-only"),
    ("GPL 3", "GPL-3.0-only"),
    ("GPL v3", "GPL-3.0-only"),
    ("GPL v2 or later", "GPL-2.0-or-later"),
    ("GPL version 2", "GPL-2.0-only"),
    ("GPL version 2 or later", "GPL-2.0-or-later"),
    ("GPLv3 or later", "GPL-3.0-or-later"),
    ("GNU GPL", "GPL-1.0-or-later"),
    ("GNU GPL v2", "GPL-2.0-only"),
    ("GNU GPL v3+", "GPL-3.0-or-later"),
    ("GNU GPL version 3", "GPL-3.0-only"),
    ("GNU General Public License v2.0", "GPL-2.0-only"),
    ("GNU General Public License, version 2", "GPL-2.0-only"),
    ("GNU General Public License version 2 or later", "GPL-2.0-or-later"),
    ("GNU General Public License", "GPL-1.0-or-later"),
    ("GPLv2 or GPLv3", "GPL-2.0-only OR GPL-3.0-only"),
    ("GPL-3+ with Font-exception", "GPL-3.0-or-later WITH Font-exception-2.0"),
    ("GPL-2+ with font exception", "GPL-2.0-or-later WITH Font-exception-2.0"),
    ("GPL-2.0-or-later WITH Classpath-exception-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0"),
    ("LGPL", "LGPL-2.0-or-later"),
    ("LGPLv2.1", "LGPL-2.1-only"),
    ("LGPL-2.1+", "LGPL-2.1-or-later"),
    ("LGPLv3", "LGPL-3.0-only"),
    ("LGPL-3.0-only", "LGPL-3.0-only"),
    ("LGPL v2.1 or later", "LGPL-2.1-or-later"),
    ("GNU LGPL 2.1", "LGPL-2.1-only"),
    ("GNU Lesser General Public License v2.1", "LGPL-2.1-only"),
    ("AGPL", "LicenseRef-unversioned-AGPL"),
    ("AGPLv3", "AGPL-3.0-only"),
    ("AGPL-3.0-or-later", "AGPL-3.0-or-later"),
    ("AGPLv3+", "AGPL-3.0-or-later"),
    ("GNU AGPL v3", "AGPL-3.0-only"),
    ("GNU Affero General Public License v3", "AGPL-3.0-only"),
    ("GFDL", "LicenseRef-unversioned-GFDL"),
    ("GFDL-1.2", "GFDL-1.2-only"),
    ("GFDL 1.3", "GFDL-1.3-only"),
    ("GFDL-1.3+", "GFDL-1.3-or-later"),
    ("GFDL-1.2-no-invariants-or-later", "GFDL-1.2-no-invariants-or-later"),
    ("GFDL-NIV-1.2+", "GFDL-1.2-no-invariants-or-later"),
    ("GNU Free Documentation License", "LicenseRef-unversioned-GFDL"),
    ("GNU Free Documentation License 1.2", "GFDL-1.2-only"),
    ("GNU FDL 1.2", "GFDL-1.2-only"),
    ("MIT", "MIT"),
    ("MIT License", "MIT"),
    ("Expat", "MIT"),
    ("The MIT License", "MIT"),
    ("BSD", "BSD-3-Clause"),
    ("BSD-2-clause", "BSD-2-Clause"),
    ("BSD-3-clause", "BSD-3-Clause"),
    ("3-clause BSD", "BSD-3-Clause"),
    ("2-clause BSD", "BSD-2-Clause"),
    ("New BSD License", "BSD-3-Clause"),
    ("Simplified BSD License", "BSD-2-Clause"),
    ("Modified BSD", "BSD-3-Clause"),
    ("BSD License", "BSD-3-Clause"),
    ("ISC", "ISC"),
    ("ISC License", "ISC"),
    ("Zlib", "Zlib"),
    ("zlib/libpng", "Zlib"),
    ("zlib license", "Zlib"),
    ("Apache 2.0", "Apache-2.0"),
    ("Apache-2.0", "Apache-2.0"),
    ("Apache License 2.0", "Apache-2.0"),
    ("Apache License, Version 2.0", "Apache-2.0"),
    ("Apache 2", "Apache-2.0"),
    ("ASL 2.0", "Apache-2.0"),
    ("WTFPL", "WTFPL"),
    ("WTFPL v2", "WTFPL"),
    ("Unlicense", "Unlicense"),
    ("The Unlicense", "Unlicense"),
    ("Artistic", "Artistic-1.0"),
    ("Artistic-2.0", "Artistic-2.0"),
    ("Artistic License 2.0", "Artistic-2.0"),
    ("Perl", "GPL-1.0-or-later OR Artistic-1.0"),
    ("OGA-BY", "LicenseRef-unversioned-OGA-BY"),
    ("OGA-BY 3.0", "LicenseRef-OGA-BY-3.0"),
    ("OGA-BY-3.0", "OGA-BY-3.0"),
    ("OGA-BY-4.0", "OGA-BY-4.0"),
    ("OGA BY 3.0", "LicenseRef-OGA-BY-3.0"),
    ("OpenGameArt.org Attribution 3.0", "LicenseRef-OGA-BY-3.0"),
    ("Free Art License", "LicenseRef-unversioned-LAL"),
    ("Free Art License 1.3", "LAL-1.3"),
    ("Free Art 1.3", "LAL-1.3"),
    ("FAL 1.3", "LAL-1.3"),
    ("LAL-1.3", "LAL-1.3"),
    ("Licence Art Libre 1.3", "LAL-1.3"),
    ("Licence Art Libre", "LicenseRef-unversioned-LAL"),
    ("LAL", "LicenseRef-unversioned-LAL"),
    ("Free Art License 1.2", "LAL-1.2"),
    ("EFF Open Audio License", "LicenseRef-unversioned-EFF-OAL"),
    ("Open Audio License", "LicenseRef-EFF-OAL-1.0"),
    ("EFF OAL 1.0", "LicenseRef-EFF-OAL-1.0"),
    ("OAL", "LicenseRef-OpenMusic-Green-1.1"),
    ("Design Science License", "LicenseRef-DSL"),
    ("DSL", "DSL"),
    ("All rights reserved", "LicenseRef-all-rights-reserved"),
    ("All Rights Reserved.", "LicenseRef-all-rights-reserved"),
    ("© 2010 Foo. All rights reserved.", "LicenseRef-all-rights-reserved"),
    ("none", "NONE"),
    ("None stated", "LicenseRef-no-licence-stated"),
    ("no license", "LicenseRef-no-licence-stated"),
    ("no licence stated", "LicenseRef-no-licence-stated"),
    ("unknown", "LicenseRef-no-licence-stated"),
    ("n/a", "LicenseRef-no-licence-stated"),
    ("proprietary", "LicenseRef-all-rights-reserved"),
    ("royalty free", "LicenseRef-royalty-free-library"),
    ("Royalty-free", "LicenseRef-royalty-free-library"),
    ("royalty free music", "LicenseRef-royalty-free-library"),
    ("CC BY 4.0 or GPL 2", "CC-BY-4.0 OR GPL-2.0-only"),
    ("CC-BY-SA-3.0 and GPL-2+", "CC-BY-SA-3.0 AND GPL-2.0-or-later"),
    ("GPL-2+ or CC-BY-SA-3.0", "GPL-2.0-or-later OR CC-BY-SA-3.0"),
    ("CC-BY-SA-3.0+", "CC-BY-SA-3.0+"),
    ("CC-BY-SA 3.0 or later", "CC-BY-SA-3.0+"),
    ("CC BY-SA 3.0/GPL 2.0", "CC-BY-SA-3.0 AND GPL-2.0-only"),
    ("GPL v2 / CC-BY-SA 3.0", "GPL-2.0-only AND CC-BY-SA-3.0"),
    ("CC-BY-SA-3.0 | GPL-2.0", "CC-BY-SA-3.0 AND GPL-2.0-only"),
    ("Licensed under CC BY 3.0", "CC-BY-3.0"),
    ("This work is licensed under a Creative Commons Attribution 3.0 License", "CC-BY-3.0"),
    ("Released under the GNU GPL v2", "GPL-2.0-only"),
    ("cc by-sa", "LicenseRef-unversioned-CC-BY-SA"),
    ("CC Attribution 3.0", "CC-BY-3.0"),
    ("CC-Attribution-ShareAlike-3.0", "CC-BY-SA-3.0"),
    ("CC BY NC SA 4.0", "CC-BY-NC-SA-4.0"),
    ("CC-BY-NC-SA", "LicenseRef-unversioned-CC-BY-NC-SA"),
    ("CC BY-ND 3.0", "CC-BY-ND-3.0"),
    ("CC-NC-BY-3.0", "CC-BY-NC-3.0"),
    ("CC-SA-BY 3.0", "CC-BY-SA-3.0"),
    ("by-sa 3.0", "CC-BY-SA-3.0"),
    ("BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
    ("Creative Commons by-sa 3.0", "CC-BY-SA-3.0"),
    ("https://www.gnu.org/licenses/gpl-2.0.html", "GPL-2.0-only"),
    ("http://www.gnu.org/licenses/old-licenses/gpl-2.0.txt", "GPL-2.0-only"),
    ("https://www.gnu.org/licenses/gpl-3.0.en.html", "GPL-3.0-only"),
    ("http://www.gnu.org/copyleft/gpl.html", "GPL-1.0-or-later"),
    ("http://artlibre.org/licence/lal/en/", "LAL-1.3"),
    ("https://spdx.org/licenses/MIT.html", "MIT"),
    ("https://opensource.org/licenses/MIT", "MIT"),
    ("https://unlicense.org/", "Unlicense"),
    ("Sample pack", "LicenseRef-sample-pack"),
    ("personal use only", "LicenseRef-personal-use-only"),
    ("non-commercial use only", "LicenseRef-non-commercial-only"),
    ("free for non-commercial use", "LicenseRef-non-commercial-only"),
    ("OGA BY 4", "LicenseRef-OGA-BY-4.0"),
    ("CC-BY-SA-3.0 (not GPL)", "CC-BY-SA-3.0"),
    ("Copyright 2010 Foo, all rights reserved. Licensed under CC BY 3.0", "CC-BY-3.0"),
    ("Dedicated to the public domain by me", "LicenseRef-public-domain"),
    ("licensed under the GPL, version 2 or any later version", "GPL-2.0-or-later"),
    ("CC BY-SA 3.0 and GFDL 1.2 or later", "CC-BY-SA-3.0 AND GFDL-1.2-or-later"),
    ("released under either the GPL v3 or CC-BY-SA 4.0, your choice", "GPL-3.0-only OR CC-BY-SA-4.0"),
    ("EFF Open Audio License v1", "LicenseRef-EFF-OAL-1.0"),
    ("http://www.eff.org/IP/Open_licenses/eff_oal.html", "LicenseRef-EFF-OAL-1.0"),
    ("creative commons by 3.0 (http://creativecommons.org/licenses/by/3.0/)", "CC-BY-3.0"),
    ("Attribution-Noncommercial-Share Alike 3.0 United States", "CC-BY-NC-SA-3.0"),
    ("CC BY 3.0 OR LATER", "CC-BY-3.0+"),
    ("CC BY-NC-SA 3.0 IT", "CC-BY-NC-SA-3.0-IT"),
    ("cc-by-sa-v3", "CC-BY-SA-3.0"),
    ("GPLv2,LGPL2.1", "GPL-2.0-only AND LGPL-2.1-only"),
]


class TestWrittenForms:
    def test_are_many(self) -> None:
        assert len(WRITTEN) >= 160

    @pytest.mark.parametrize(("raw", "expression"), WRITTEN)
    def test_are_read(self, raw: str, expression: str) -> None:
        assert normalise(raw) == expression

    @pytest.mark.parametrize(("raw", "expression"), WRITTEN)
    def test_reach_the_catalogue(self, raw: str, expression: str) -> None:
        assert all(licences_of(leaf) for leaf in leaves(parse(expression)))

    @pytest.mark.parametrize(("raw", "expression"), WRITTEN)
    def test_read_the_same_twice(self, raw: str, expression: str) -> None:
        assert normalise(expression) == expression

    @pytest.mark.parametrize(
        "raw",
        [
            "Creative Commons",
            "Creative Commons License",
            "Open Music License",
            "Copyright 2012 Foo",
            "free to use",
            "Pixabay License",
            "Mixkit License",
            "YouTube Audio Library",
            "This song is not under a CC BY licence",
            "a story about the public domain and how a friend of mine once wrote a song about it for free",
            "Music by Bob, sold by Carol 3.0",
            "Standby 2.0",
            "Lal la",
            "Non-Attribution 1.0",
        ],
    )
    def test_are_not_guessed(self, raw: str) -> None:
        assert normalise(raw).startswith(UNRECOGNISED)


class TestSeveralLicencesInOneText:
    @pytest.mark.parametrize("between", [" and ", " / ", ", ", " | ", "; ", " & "])
    def test_all_hold_where_nothing_offers_a_choice(self, between: str) -> None:
        assert normalise(f"CC BY-SA 3.0{between}GPL v2") == "CC-BY-SA-3.0 AND GPL-2.0-only"

    def test_are_a_choice_where_or_says_so(self) -> None:
        assert normalise("CC BY-SA 3.0 or GPL v2") == "CC-BY-SA-3.0 OR GPL-2.0-only"

    def test_or_later_is_no_choice_of_licences(self) -> None:
        assert normalise("GPLv3 or later") == "GPL-3.0-or-later"

    def test_reads_unknown_keys_of_an_expression_one_by_one(self) -> None:
        assert normalise("GPLv2+ AND (MIT OR Nobodys-1.0)") == "GPL-2.0-or-later AND (MIT OR Nobodys-1.0)"


class TestPortedLicences:
    @pytest.mark.parametrize(
        ("raw", "unported"),
        [
            ("CC-BY-SA-2.0-UK", "CC-BY-SA-2.0"),
            ("CC-BY-2.5-CH", "CC-BY-2.5"),
            ("https://creativecommons.org/licenses/by-nc-sa/3.0/it/", "CC-BY-NC-SA-3.0"),
            ("https://creativecommons.org/licenses/by/2.5/scotland/", "CC-BY-2.5"),
        ],
    )
    def test_are_read_as_the_unported_one_and_say_so(self, raw: str, unported: str) -> None:
        reading = read(normalise(raw), "redistribution", False, DEFAULT)
        assert reading.answer == read(unported, "redistribution", False, DEFAULT).answer
        assert any("wording of ported versions differs" in reason for reason in reading.reasons)

    def test_of_4_0_do_not_exist(self) -> None:
        assert normalise("https://creativecommons.org/licenses/by/4.0/deed.de") == "CC-BY-4.0"
        assert read("CC-BY-4.0-DE", "redistribution", False, DEFAULT).answer == "unknown"


class TestUnversionedFamilies:
    @pytest.mark.parametrize("name", ["CC-BY", "CC-BY-NC-ND", "LAL", "OGA-BY", "EFF-OAL", "GFDL", "AGPL"])
    def test_have_members(self, name: str) -> None:
        (leaf,) = leaves(parse(UNVERSIONED + name))
        assert len(licences_of(leaf)) >= 2


class TestNonCommercialTraining:
    @pytest.mark.parametrize("licence", [id for id in catalogue() if "-NC-" in id])
    def test_is_contested_under_every_nc_licence(self, licence: str) -> None:
        for axis in ("ai_generative_training", "ai_nongenerative_training"):
            assert "non-commercial-training" in catalogue()[licence].terms[axis].questions

    @pytest.mark.parametrize("reading", ["default", "strict", "loose"])
    def test_is_never_commercial(self, reading: str) -> None:
        policy = DEFAULT.__class__("own", readings=(("non-commercial-training", reading),))
        answer = read("CC-BY-NC-4.0", "ai_generative_training", True, policy).answer
        assert answer == "not_allowed"

    def test_keeps_its_condition_where_no_derivatives_is_read_loosely(self) -> None:
        loose = DEFAULT.__class__("own", readings=(("no-derivatives-training", "loose"),))
        reading = read("CC-BY-NC-ND-4.0", "ai_generative_training", False, loose)
        assert reading.conditions == ("attribution", "no-adaptations", "non-commercial")


class TestDebianNames:
    @pytest.mark.parametrize(
        ("raw", "expression"),
        [
            ("CC-BY", "LicenseRef-unversioned-CC-BY"),
            ("CC-BY-SA-2.0-UK or GPL-2+", "CC-BY-SA-2.0-UK OR GPL-2.0-or-later"),
            ("GNU General Public License, version 2", "GPL-2.0-only"),
            ("GPL-2 or any later version", "GPL-2.0-or-later"),
            ("CC0 and CC BY 3.0", "CC0-1.0 AND CC-BY-3.0"),
            ("Sampling+", "LicenseRef-CC-Sampling-Plus-1.0"),
            ("permissive", "LicenseRef-dep5-permissive"),
        ],
    )
    def test_are_read_in_words_too(self, raw: str, expression: str) -> None:
        assert normalise_dep5(raw) == expression


class TestWordsThatTakeSomethingBack:
    @pytest.mark.parametrize(
        "raw",
        [
            "CC BY 4.0 does not apply",
            "CC-BY-4.0 until 2024-12-31",
            "CC-BY-4.0 except track 3",
            "CC BY 4.0 for everyone but AI companies",
            "CC BY 4.0 with additional restrictions",
            "All rights reserved. Some tracks CC BY 4.0",
            "CC0, but you may not use it in games",
            "CC BY 4.0 (only in Germany)",
            "CC0 (USA only)",
            "CC0 in the United States",
        ],
    )
    def test_leave_a_named_licence_open(self, raw: str) -> None:
        reading = read(normalise(raw), "ai_generative_training", False, DEFAULT)
        assert reading.answer == "unknown"
        assert LIMITED in normalise(raw)

    @pytest.mark.parametrize(
        ("raw", "expression"),
        [
            ("Except where otherwise noted, CC BY 4.0", "CC-BY-4.0"),
            ("CC BY 4.0 unless stated otherwise", "CC-BY-4.0"),
            ("CC BY 4.0 unless otherwise stated", "CC-BY-4.0"),
            ("License: GPL-2.0-only On Debian systems see common-licenses", "GPL-2.0-only"),
            ("Apache License 2.0; you may not use this file except in compliance with it", "Apache-2.0"),
            ("CC BY 4.0, recorded in Germany", "CC-BY-4.0"),
            ("CC BY 3.0 US", "CC-BY-3.0-US"),
            ("CC BY 4.0 by Jane Doe, https://jane.example", "CC-BY-4.0"),
        ],
    )
    def test_are_not_those_of_the_licences_own_notices(self, raw: str, expression: str) -> None:
        assert normalise(raw) == expression

    def test_are_not_looked_for_in_long_texts(self) -> None:
        assert (
            normalise(f"CC BY 4.0. {'The piece was first played in 2003. ' * 6}Except for rain.")
            == "CC-BY-4.0"
        )

    @pytest.mark.parametrize(
        "raw",
        [
            "CC BY 4.0 TDM opt-out",
            "CC BY 4.0, no text and data mining",
            "CC0. TDM reserved",
            "CC BY 4.0 #NoAI",
            "CC BY 4.0, AI: no",
            "CC BY 4.0 - not for LLMs",
            "CC BY 4.0, kein KI-Training",
            "CC BY 4.0 außer für KI-Training",
            "CC BY 4.0, pas d'entraînement d'IA",
            "CC BY 4.0, interdit à l'IA",
            "CC BY 4.0, prohibido entrenar IA",
        ],
    )
    def test_reserve_mining_as_no_training(self, raw: str) -> None:
        assert read(normalise(raw), "ai_generative_training", False, DEFAULT).answer == "not_allowed"

    @pytest.mark.parametrize(
        "raw",
        [
            "CC BY 4.0 sans usage commercial",
            "CC BY 4.0, nicht für kommerzielle Zwecke",
            "CC BY 4.0 sin fines comerciales",
            "CC BY-SA 4.0, you may not sell it",
            "CC BY 4.0, not for sale",
            "MIT License with Commons Clause",
        ],
    )
    def test_forbid_commerce(self, raw: str) -> None:
        assert read(normalise(raw), "ai_generative_training", True, DEFAULT).answer == "not_allowed"
        assert read(normalise(raw), "redistribution", True, DEFAULT).answer == "not_allowed"

    @pytest.mark.parametrize(
        "raw", ["CC BY 4.0. No AI was used.", "CC BY 4.0. Not AI generated.", "CC BY 4.0, keine KI verwendet"]
    )
    def test_are_not_those_on_how_the_music_was_made(self, raw: str) -> None:
        assert normalise(raw) == "CC-BY-4.0"

    def test_forbid_derivatives_in_other_spellings(self) -> None:
        assert (
            read(normalise("CC BY 4.0 NonDerivative"), "output_commercial", True, DEFAULT).answer
            == "not_allowed"
        )


class TestWhatStandsBehindWith:
    @pytest.mark.parametrize(
        "raw", ["CC-BY-4.0 WITH no-ai-training", "CC0-1.0 WITH Foo-exception", "GPL with no commercial use"]
    )
    def test_settles_nothing_where_nobody_knows_it(self, raw: str) -> None:
        reading = read(normalise(raw), "ai_generative_training", False, DEFAULT)
        assert reading.answer == "unknown"
        assert "nobody here knows what" in reading.reasons[0]

    @pytest.mark.parametrize(
        "raw",
        ["GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-or-later WITH LicenseRef-Autoconf-exception"],
    )
    def test_only_permits_more_beside_a_gnu_licence(self, raw: str) -> None:
        assert read(normalise(raw), "ai_generative_training", False, DEFAULT).answer == "constrained"


class TestTextsOfOtherDocuments:
    @pytest.mark.parametrize(
        "raw", ["DocumentRef-x:LicenseRef-CC0-1.0", "MIT AND DocumentRef-a.b:LicenseRef-MIT"]
    )
    def test_are_not_known_by_their_names(self, raw: str) -> None:
        assert read(normalise(raw), "redistribution", False, DEFAULT).answer == "unknown"

"""The words by which licences are named, limited and denied, as patterns, and what each of them means.

They are looked for in a text's English: `TRANSLATED` says the elements of Creative Commons in other languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from provenance.rights.terms import UNVERSIONED, family

NO_TRAINING: Final = "LicenseRef-no-ai-training"
NON_COMMERCIAL: Final = "LicenseRef-non-commercial-only"

_VERSION = r"[\s,_-]*(?:\(?\s*(?:version|ver\.?|v\.?)[\s_-]*)?"
_LATER = r"(?P<later>\+|[\s,(-]*(?:or|and)[\s-]+(?:\(at your option\)\s+)?(?:any[\s-]+)?(?:later|newer|above|higher)\b)?"
_ELEMENT = (
    r"(?:by|nc|nd|sa|attribution|non-?\s?commercial|no-?\s?deriv(?:ative)?(?:\s?work)?s?|share-?\s?alike)"
)
_BETWEEN = r"(?:[\s_/,;&+-]|\band\b)"
_ELEMENTS = rf"(?P<elements>{_ELEMENT}(?:{_BETWEEN}{{1,5}}{_ELEMENT}){{0,5}})"
_NARROWER = r"(?:nc|nd|sa|non-?\s?commercial|no-?\s?deriv(?:ative)?(?:\s?work)?s?|share-?\s?alike)"
_MORE = rf"(?P<more>(?:[\s,;/&+_-]{{1,5}}{_NARROWER}\b){{0,5}})"
"""Elements that stand after the version."""
_PORTS = (
    "A[MRTUZ]|B[EGR]|C[AHLNORZ]|D[EK]|E[CEGS]|F[IR]|G[ERT]|H[KRU]|I[ELNT]|J[OP]|KR|LU|M[KTXY]|N[LOZ]|P[EHLRT]"
    "|R[OS]|S[EGI]|T[HW]|U[GKS]|V[EN]|ZA|IGO|SCOTLAND"
)
"""The jurisdictions that Creative Commons licences were ported to."""
_GNU = r"(?P<kind>Lesser|Library|Affero)?\s*(?:General\s+)?Public\s+Licen[cs]e"
_ELEMENT_NAMES: Final = (
    ("BY", "by|attribution"),
    ("NC", "nc|noncommercial"),
    ("ND", "nd|noderiv"),
    ("SA", "sa|sharealike"),
)

Reading = Callable[[re.Match[str]], str]


def elements_of(spelled: str) -> str:
    """Return a Creative Commons family, such as ``CC-BY-NC-SA``; empty where there is none of these elements."""
    words = re.sub(r"\band\b|[\s_/,;&+-]", "", spelled.lower())
    parts = [short for short, pattern in _ELEMENT_NAMES if re.search(pattern, words)]
    if "ND" in parts and "SA" in parts:
        return ""
    name = "-".join(["CC", *parts])
    return name if parts and family(name) else ""


def _creative_commons(match: re.Match[str]) -> str:
    named = match.groupdict()
    name = elements_of(f"{named['elements']} {named.get('more') or ''}")
    if not name:
        return ""
    version = named.get("version") or ""
    if not version:
        return UNVERSIONED + name
    version = version if "." in version else f"{version}.0"
    port = named.get("port") or ""
    ported = f"-{port}" if port and version != "4.0" else ""
    return f"{name}-{version}{ported}{'+' if named.get('later') else ''}"


def _gnu(match: re.Match[str]) -> str:
    named = match.groupdict()
    kind = (named.get("kind") or "").lower().removesuffix("gnu ").strip()
    base = {"lesser": "LGPL", "library": "LGPL", "l": "LGPL", "affero": "AGPL", "a": "AGPL"}.get(kind, "GPL")
    version = named.get("version") or ""
    if not version:
        return {"GPL": "GPL-1.0-or-later", "LGPL": "LGPL-2.0-or-later"}.get(base, UNVERSIONED + base)
    version = version if "." in version else f"{version}.0"
    return f"{base}-{version}-{'or-later' if named.get('later') else 'only'}"


def _gfdl(match: re.Match[str]) -> str:
    version = match["version"]
    return f"GFDL-{version}-{'or-later' if match['later'] else 'only'}" if version else UNVERSIONED + "GFDL"


def _versioned(name: str) -> Reading:
    def read(match: re.Match[str]) -> str:
        version = match["version"]
        if not version:
            return UNVERSIONED + name
        wanted = f"{name}-{version if '.' in version else version + '.0'}"
        return next((licence.id for licence in family(name) if licence.id.endswith(wanted)), wanted)

    return read


def _sampling(match: re.Match[str]) -> str:
    return f"LicenseRef-CC-{'NC-' if match['nc'] else ''}Sampling{'-Plus' if match['plus'] else ''}-1.0"


def _always(expression: str) -> Reading:
    return lambda _: expression


def _compiled(*patterns: tuple[str, Reading]) -> tuple[tuple[re.Pattern[str], Reading], ...]:
    return tuple((re.compile(pattern, re.I), reading) for pattern, reading in patterns)


TRANSLATED: Final = tuple(
    (re.compile(pattern, re.I), word)
    for word, pattern in (
        (
            "NonCommercial",
            r"\b(?:pas\s+d'|sans\s+)(?:utilisations?\s+commerciales?|usage\s+commercial)\b"
            r"|\bnicht[\s-]?kommerziell(?:e[nrs]?)?\b|\bnicht\s+für\s+kommerzielle\s+(?:nutzung|zwecke)\b"
            r"|\b(?:keine|ohne)\s+kommerzielle\s+nutzung\b|\b(?:uso\s+)?n(?:o|ão|ao)[\s-]?comercial\b"
            r"|\bs(?:in|em)\s+(?:uso\s+comercial|fin(?:es|s)\s+comercia(?:les|is))\b|\bsenza\s+scopi\s+commerciali\b"
            r"|\bnon[\s-]?commerciale\b|\bniet[\s-]?commercieel\b|\bgeen\s+commercieel\s+gebruik\b",
        ),
        (
            "NoDerivs",
            r"\bpas\s+de\s+modifications?\b|\bpas\s+d'(?:œ|oe)uvres?\s+dérivées?\b|\bkeine\s+bearbeitung(?:en)?\b"
            r"|\bsin\s?(?:obras?\s?)?derivadas?\b|\bnon\s+opere\s+derivate\b|\bsem\s?deriva(?:ções|dos|das)\b"
            r"|\bgeen\s?afgeleide\s?werken\b",
        ),
        (
            "ShareAlike",
            r"\bpartage\s+(?:dans\s+les|des|selon\s+les)\s+(?:mêmes\s+)?conditions(?:\s+initiales)?(?:\s+à\s+l'identique)?"
            r"|\bpartage\s+à\s+l'identique(?:\s+des\s+conditions\s+initiales)?"
            r"|\bweitergabe\s+unter\s+gleichen\s+bedingungen\b|\bcompartir\s?igual\b|\bcompartilha\s?igual\b"
            r"|\bpartilha\s+nos\s+(?:mesmos\s+)?termos\b|\bcondividi\s+allo\s+stesso\s+modo\b|\bgelijk\s?delen\b",
        ),
        (
            "Attribution",
            r"\bpaternité\b|\bnamensnennung\b|\breconocimiento\b|\batribuci[oó]n\b|\batribui[cç][aã]o\b|\battribuzione\b"
            r"|\bnaamsvermelding\b|\breconeixement\b",
        ),
        (
            "all rights reserved",
            r"\balle\s+rechte\s+vorbehalten\b|\btous\s+droits\s+réservés\b|\btodos\s+l?os\s+(?:derechos|direitos)\s+reservados\b"
            r"|\btutti\s+i\s+diritti\s+riservati\b|\balle\s+rechten\s+voorbehouden\b",
        ),
    )
)
"""Words of the licences' French, German, Spanish, Italian, Portuguese and Dutch titles, and the English for them."""

_USE: Final = r"(?:use|usage|purposes?)"
_MACHINE: Final = (
    r"(?:\bmachine[\s-]learning\b|\bTDM\b|\b(?:text\s+(?:and|&)\s+)?data[\s-]mining\b"
    r"|\b(?:AI|A\.I\.|artificial\s+intelligence|generative)\b[^.;]{0,20}?\b(?:train|model|data|min))"
)
_NOT_ABROAD: Final = (
    r"(?:kein\w*|nicht|ohne|au(?:ss|ß)er|pas|sans|sauf|interdit\w*|sin|prohib\w*|excepto|senza|vietat\w*|sem"
    r"|proibid\w*|geen)"
)
_MACHINE_ABROAD: Final = r"(?-i:\b(?:KI|IA)\b(?!\W{0,3}(?:wurde|gener|utilis|usad|usat|erzeugt|verwendet)))"
NO_TRAINING_WORDS: Final = re.compile(
    rf"\b(?:no|not|never|except|excluding|without|prohibit\w*|forbid\w*)\b[^.;]{{0,40}}?{_MACHINE}"
    rf"|{_MACHINE}[^.;]{{0,30}}?\b(?:prohibited|forbidden|excluded|reserved|opt(?:ed)?[\s-]?out|not\s+(?:allowed|permitted))\b"
    rf"|\b{_NOT_ABROAD}\b[^.;]{{0,40}}?{_MACHINE_ABROAD}"
    rf"|{_MACHINE_ABROAD}[^.;]{{0,30}}?\b(?:verboten|interdit\w*|prohib\w*|vietat\w*|proibid\w*)\b"
    r"|#no[\s-]?AI\b|\bAI\s*[:=]\s*no\b|\b(?:no|not\s+for)\s+(?:AI\b(?!\s+(?:was|were|is|has))|LLMs?\b)"
    r"|\bnot\s+be\s+used\s+(?:to\s+train|(?:for|in)\s+training)\b|[(,;]\s*no[\s-]?AI\b"
    r"|\b(?:no|not|never)\b[^.;]{0,20}?\btrain(?:ing)?\b[^.;]{0,20}?\b(?:AI|models?)\b",
    re.I,
)
FORBIDDING: Final = (
    (NO_TRAINING_WORDS, NO_TRAINING),
    *(
        (re.compile(pattern, re.I), expression)
        for pattern, expression in (
            (
                rf"\bcommons\s+clause\b|\b(?:no|not)[\s-]+(?:\w+\s+){{0,2}}commercial\b(?!\s+or\s+non)|\bnon-?\s?commercial(?:\s+{_USE})?\s+only\b"
                rf"|\b(?:only|solely|exclusively|free)\s+(?:for|in)\s+non-?\s?commercial\b"
                rf"|(?<!commercial and )(?<!commercial or )(?<!commercial/)"
                rf"\bfor\s+non-?\s?commercial\s+{_USE}\b(?!\s+(?:and|or)\s+commercial)",
                NON_COMMERCIAL,
            ),
            (
                r"\b(?:not|never|cannot|don't)\s+(?:be\s+)?(?:re-?)?(?:sell|sold)\b|\bnot\s+for\s+(?:re-?)?sale\b",
                NON_COMMERCIAL,
            ),
            (
                rf"\b(?:personal|private|educational|academic|research)(?:\s+(?:and|or)\s+\w+)?\s+{_USE}\s+only\b"
                r"|\bonly\s+for\s+(?:personal|private|educational|academic|research)\b",
                "LicenseRef-personal-use-only",
            ),
        )
    ),
)
"""Words beside a named licence that forbid what it may allow."""
_PLACE: Final = r"(?:US|U\.S\.|USA|UK|EU|Europe|Canada|Japan|Germany|France|United\s+(?:States|Kingdom))"
LIMITING: Final = re.compile(
    r"\b(?:except(?:ing)?|excluding|apart\s+from|unless|until|expire[sd]?|revoked|withdrawn|terminated)\b"
    r"|\b(?:everyone|everybody|anyone|anybody|anything|everything)\s+but\b|\b(?:does|do)(?:\s+not|n't)\s+apply\b"
    r"|\b(?:additional|further|extra)\s+(?:restriction|limitation|condition|term)s?\b"
    r"|\b(?:may|must|can|shall|do)(?:\s*not|n't)\b|\bonly\s+(?:in|for|if|when)\b"
    rf"|\b{_PLACE}\s+only\b|§\W{{0,3}}in\s+(?:the\s+)?{_PLACE}(?!\w)"
    r"|\b(?:some|certain|selected|most|part|parts)\s+(?:of\s+(?:the\s+|these\s+)?)?(?:tracks?|songs?|files?|music|recordings?)\b",
    re.I,
)
"""Words that take something back from a named licence, whatever it is."""
COMMON_PHRASES: Final = re.compile(
    r"\b(?:except|unless)\s+(?:where|as|when)?\s*(?:otherwise\s+)?(?:noted|stated|indicated|specified|mentioned|required|agreed)\b"
    r"|\bmay\s+not\s+use\s+this\s+\w+\s+except\s+in\s+compliance\b",
    re.I,
)
"""What the notices of the licences themselves say: it takes nothing back."""
BARE_NC: Final = re.compile(r"\bnon-?\s?commercial\b", re.I)
BARE_ND: Final = re.compile(
    r"\bnon?[\s-]?(?:deriv(?:ative)?s?|remix(?:es|ing)?|adaptations?|modifications?)\b", re.I
)
BARE_SA: Final = re.compile(r"\bshare[\s-]?alike\b", re.I)
COMMERCIAL: Final = re.compile(r"(?<!non)(?<!non[- ])\bcommercial", re.I)
NOTICE: Final = re.compile(r"©|℗|\(c\)|\bcopyright\b", re.I)
_EVERYWHERE: Final = r"(?!\W{0,3}(?:only\s+)?(?:in|US|USA|UK|EU|Canada|Europe)\b)"
"""Not where a place follows: what is free in one country is not free."""

NAMED: Final = _compiled(
    (rf"\bOGA[\s_-]*BY\b{_VERSION}(?P<version>[34](?:\.0)?)?", _versioned("OGA-BY")),
    (
        r"(?:\b(?:cc|creative\s+commons)[\s_-]*)?\b(?P<nc>nc|non-?\s?commercial)?[\s_-]*\bsampling"
        r"(?P<plus>[\s_-]*(?:\+|plus\b))[\s_-]*(?:1\.0)?",
        _sampling,
    ),
    (r"\b(?:cc|creative\s+commons)[\s_-]*(?P<nc>nc)?[\s_-]*sampling(?P<plus>)[\s_-]*1\.0", _sampling),
    (
        r"\bcc[\s_-]*(?:0|zero)\b(?:[\s_-]*(?:v|version)?[\s_-]*1\.0)?|\bcreative\s+commons\s+zero\b",
        _always("CC0-1.0"),
    ),
    (r"\b(?:cc[\s_-]*)?(?:pdm\b|public\s+domain\s+mark\b)", _always("CC-PDM-1.0")),
    (r"\bcc[\s_-]*pddc\b", _always("CC-PDDC")),
    (
        rf"\b(?:cc|creative\s+commons)[\s_:-]*{_ELEMENTS}(?=[\W\d_]|v\d|\Z){_VERSION}"
        rf"(?P<version>\d(?:\.\d)?)?(?![\d])(?P<later>\+|\s+or\s+(?:any\s+)?(?:later|newer)\b)?"
        rf"{_MORE}(?:\s+(?:Unported|International|Generic)\b)?"
        rf"(?:[\s_-]+(?P<port>(?-i:{_PORTS})\b))?",
        _creative_commons,
    ),
    (
        rf"\b(?:cc|creative\s+commons)[\s_:-]*(?:v|version\s+)?(?P<version>[1-4]\.\d)[\s_-]+{_ELEMENTS}(?![A-Za-z])",
        _creative_commons,
    ),
    (
        rf"\b{_ELEMENTS}[\s_-]+(?P<version>[1-4]\.\d)\b{_MORE}(?:\s+(?:Unported|International|Generic)\b)?",
        _creative_commons,
    ),
    (
        r"\bby-(?P<elements>(?:nc|sa|nd)(?:-(?:sa|nd))?)\b",
        lambda match: UNVERSIONED + f"CC-BY-{match['elements'].upper()}",
    ),
    (rf"\b(?:GNU\s+)?G?FDL{_VERSION}(?P<version>1\.\d)?{_LATER}", _gfdl),
    (rf"\bGNU\s+Free\s+Documentation\s+Licen[cs]e{_VERSION}(?P<version>1\.\d)?{_LATER}", _gfdl),
    (
        rf"\bGNU\s+{_GNU}\b(?:[^.;]{{0,200}}?(?:version|v)?\s*(?P<version>\d(?:\.\d)?)(?!\d)"
        r"(?P<later>\+|.{0,60}?\b(?:any\s+later\s+version|or\s+later)\b)?)?",
        _gnu,
    ),
    (
        rf"\b(?:GNU[\s/-]+)?(?P<kind>[LA]|(?:lesser|library|affero)\s+(?:GNU\s+)?)?GPL(?:[\s-]+licen[cs]e)?{_VERSION}(?P<version>\d(?:\.\d)?)?(?:\.\d)?(?!\d){_LATER}",
        _gnu,
    ),
    (
        r"\b(?:free[\s_-]+art(?:[\s_-]+licen[cs]e)?|licence[\s_-]+art[\s_-]+libre|(?-i:FAL|LAL))\b"
        rf"{_VERSION}(?P<version>1\.[23])?",
        _versioned("LAL"),
    ),
    (
        rf"\b(?:EFF[\s_-]+)?open[\s_-]+audio[\s_-]+licen[cs]e\b{_VERSION}(?P<version>[12](?:\.0)?)?(?:\.1)?",
        _versioned("EFF-OAL"),
    ),
    (rf"\bEFF[\s_-]*OAL\b{_VERSION}(?P<version>[12](?:\.0)?)?(?:\.1)?", _versioned("EFF-OAL")),
    (
        rf"\bApache(?:[\s_-]*software)?(?:[\s_-]*licen[cs]e)?{_VERSION}2(?:\.0)?(?![\d.])|\bASL{_VERSION}2\.0",
        _always("Apache-2.0"),
    ),
    (r"\b(?:MIT|Expat)(?:/X11)?\s+licen[cs]e\b|\bMIT/X11\b", _always("MIT")),
    (
        r"\b(?:2|two)-clause\s+BSD\b|\bBSD\s+(?:2|two)[\s-]clause\b|\b(?:simplified|FreeBSD)\s+BSD\b",
        _always("BSD-2-Clause"),
    ),
    (
        r"\b(?:3|three)-clause\s+BSD\b|\bBSD\s+(?:3|three)[\s-]clause\b|\b(?:new|modified|revised)\s+BSD\b",
        _always("BSD-3-Clause"),
    ),
    (r"\b(?:4|four)-clause\s+BSD\b|\boriginal\s+BSD\b", _always("BSD-4-Clause")),
    (r"\bBSD\s+licen[cs]e\b", _always("BSD-3-Clause")),
    (r"\bzlib(?:/libpng)?\s+licen[cs]e\b|\bzlib/libpng\b", _always("Zlib")),
    (r"\bWTFPL\b(?:[\s_-]*v?2)?", _always("WTFPL")),
    (r"\bunlicen[cs]e\b", _always("Unlicense")),
)
"""Names that mean a licence wherever they stand; earlier patterns take their words before later ones look."""

_JOINED: Final = r"(?:(?<=\bor )|(?<=\band )|(?<=[,/+&])|(?<=[,/+&] ))"
BESIDE: Final = _compiled(
    (rf"{_JOINED}(?-i:MIT|Expat)(?![\w-])", _always("MIT")),
    (rf"{_JOINED}(?-i:BSD)(?![\w-])", _always("BSD-3-Clause")),
    (rf"{_JOINED}(?-i:ISC)(?![\w-])", _always("ISC")),
    (rf"{_JOINED}(?-i:CC-?PDM|PDM)(?![\w-])", _always("CC-PDM-1.0")),
)
"""Names too short to mean a licence, unless they are joined to one that does."""

CLAIMED: Final = _compiled(
    (
        r"\b(?:dedicated|released|placed|put|given|donated)\s+(?:\w+\s+){0,2}?(?:in)?to\s+the\s+public\s+domain\b"
        rf"{_EVERYWHERE}",
        _always("LicenseRef-public-domain"),
    ),
    (r"\ball\s+rights\s+reserved\b", _always("LicenseRef-all-rights-reserved")),
)
"""Words that are read where nothing else is named."""

WHOLE: Final = _compiled(
    (rf"\bpublic[\s_-]+domain\b{_EVERYWHERE}|\A\W*PD\W*\Z", _always("LicenseRef-public-domain")),
    (r"\ball\s+rights\s+reserved\b|\A\W*(?:proprietary|ARR)\W*\Z", _always("LicenseRef-all-rights-reserved")),
    (
        r"\A\W*(?:free\s+)?(?:for\s+)?(?:personal|private)(?:\s+(?:and|or)\s+\w+)?\s+use(?:\s+only)?\W*\Z",
        _always("LicenseRef-personal-use-only"),
    ),
    (
        r"\A\W*(?:free\s+)?(?:for\s+)?non-?\s?commercial(?:\s+use)?(?:\s+only)?\W*\Z",
        _always("LicenseRef-non-commercial-only"),
    ),
    (r"\broyalty[\s_-]+free\b", _always("LicenseRef-royalty-free-library")),
    (r"\bproduction\s+(?:music\s+)?library\b", _always("LicenseRef-production-library")),
    (r"\bsample\s+pack\b", _always("LicenseRef-sample-pack")),
    (
        r"\A\W*(?:n/?a|none|nil|unknown|unlicensed|not\s+(?:stated|specified|given|known)"
        r"|(?:none|no\s+licen[cs]e)(?:\s+(?:stated|specified|given))?|unspecified|\?+|-+)\W*\Z",
        _always("LicenseRef-no-licence-stated"),
    ),
)
"""Words that are read where they are all that is said."""

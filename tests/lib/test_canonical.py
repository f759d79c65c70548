"""RFC 8785: the standard's own examples, and the refusals."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lib.canonical import CanonicalError, canonical_json, canonical_sha256, parse_canonical, sha256_hex

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class TestCanonicalJson:
    def test_writes_the_example_of_rfc_8785_section_3_2_2(self) -> None:
        value = {
            "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
            "literals": [None, True, False],
        }
        assert canonical_json(value).decode() == (
            '{"literals":[null,true,false],'
            '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        )

    def test_sorts_keys_by_utf16_code_units_as_in_section_3_2_3(self) -> None:
        value = {
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\U0001f600": "Emoji: Grinning Face",
            "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis",
        }
        assert list(json.loads(canonical_json(value)).values()) == [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh",
        ]

    @pytest.mark.parametrize(
        ("bits", "written"),
        [
            ("0000000000000000", "0"),
            ("8000000000000000", "0"),
            ("0000000000000001", "5e-324"),
            ("7fefffffffffffff", "1.7976931348623157e+308"),
            ("4340000000000000", "9007199254740992"),
            ("44b52d02c7e14af5", "9.999999999999997e+22"),
            ("44b52d02c7e14af6", "1e+23"),
            ("444b1ae4d6e2ef4e", "999999999999999700000"),
            ("444b1ae4d6e2ef50", "1e+21"),
            ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
            ("3eb0c6f7a0b5ed8d", "0.000001"),
            ("41b3de4355555554", "333333333.33333325"),
            ("becbf647612f3696", "-0.0000033333333333333333"),
        ],
    )
    def test_writes_numbers_as_appendix_b_does(self, bits: str, written: str) -> None:
        assert canonical_json(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == written

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"a": [1.0, float("nan")]}, r"\$\.a\[1\]: nan is not a JSON number"),
            ({"a": float("-inf")}, r"\$\.a: -inf"),
            ({"a": {1: 2}}, r"\$\.a: the key 1 is a int"),
            ([2**53], r"\$\[0\]: the integer 9007199254740992"),
            ([-(2**53)], r"\$\[0\]"),
            ({"a": b"bytes"}, r"\$\.a: a bytes has no JSON form"),
            ({"a": "\ud800"}, r"\$\.a: .*surrogate"),
            ({"\ud800": 1}, r"a key: .*surrogate"),
            ({"a": {1, 2}}, "a set has no JSON form"),
        ],
    )
    def test_refuses_and_names_the_place(self, value: Any, said: str) -> None:
        with pytest.raises(CanonicalError, match=said):
            canonical_json(value)

    def test_refuses_nesting_that_would_exhaust_the_stack(self) -> None:
        value: Any = []
        for _ in range(5000):
            value = [value]
        with pytest.raises(CanonicalError, match="nested deeper"):
            canonical_json(value)

    @given(json_values)
    def test_says_the_same_of_what_it_wrote(self, value: Any) -> None:
        encoded = canonical_json(value)
        assert canonical_json(parse_canonical(encoded)) == encoded
        assert parse_canonical(encoded) == value

    @given(json_values)
    def test_writes_what_the_reference_writes(self, value: Any) -> None:
        """Most values take a quicker encoder: it may differ in no byte."""
        assert canonical_json(value) == rfc8785.dumps(value)

    @given(st.dictionaries(st.text(), st.integers(-5, 5)))
    def test_does_not_depend_on_the_order_of_keys(self, value: dict[str, int]) -> None:
        assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


class TestParseCanonical:
    @pytest.mark.parametrize(
        "encoded",
        [
            b'{"a": 1}',
            b'{"a":1}\n',
            b'{"b":1,"a":2}',
            b'{"a":1,"a":2}',
            b'{"a":1,"a":1}',
            b"1.0",
            b"1e400",
            b"9007199254740993",
            b"NaN",
            b'"\\u0041"',
            b"\xff",
            b"",
            b"\xef\xbb\xbf1",
            b"9" * 5000,
            b"[" * 200_000,
        ],
    )
    def test_refuses_every_other_spelling(self, encoded: bytes) -> None:
        with pytest.raises(CanonicalError):
            parse_canonical(encoded)


class TestSha256:
    def test_gives_the_published_digest(self) -> None:
        assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    def test_hashes_the_canonical_form_of_a_value(self) -> None:
        assert canonical_sha256({"b": 1, "a": 1.0}) == sha256_hex(b'{"a":1,"b":1}')

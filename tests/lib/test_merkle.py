"""Vectors: leaves and roots of Certificate Transparency's reference tests (transparency-dev/merkle)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.merkle import inclusion_proof, leaf_hash, merkle_root, node_hash, verify_inclusion

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PROOFS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}

trees = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def root_by_definition(leaves: list[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 writes it: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


class TestMerkleRoot:
    @pytest.mark.parametrize("size", range(9))
    def test_matches_the_published_roots(self, size: int) -> None:
        assert merkle_root(LEAVES[:size]).hex() == ROOTS[size]

    @given(st.lists(st.binary(max_size=8), max_size=70))
    def test_follows_the_recursive_definition(self, leaves: list[bytes]) -> None:
        assert merkle_root(leaves) == root_by_definition(leaves)

    def test_tells_a_leaf_from_an_inner_node(self) -> None:
        left, right = leaf_hash(b"a"), leaf_hash(b"b")
        assert merkle_root([left + right]) != merkle_root([b"a", b"b"])

    def test_tells_a_repeated_last_leaf_from_one_that_stands_alone(self) -> None:
        assert merkle_root([b"a", b"b", b"c"]) != merkle_root([b"a", b"b", b"c", b"c"])


class TestInclusionProof:
    @pytest.mark.parametrize(("index", "size"), PROOFS)
    def test_matches_the_published_proofs(self, index: int, size: int) -> None:
        assert [sibling.hex() for sibling in inclusion_proof(LEAVES[:size], index)] == PROOFS[index, size]

    @pytest.mark.parametrize("index", [-1, 8])
    def test_refuses_a_leaf_that_is_not_there(self, index: int) -> None:
        with pytest.raises(IndexError, match="in a tree of 8"):
            inclusion_proof(LEAVES, index)


class TestVerifyInclusion:
    @given(trees)
    def test_accepts_every_leaf_of_every_tree(self, leaves: list[bytes]) -> None:
        root = merkle_root(leaves)
        for index, leaf in enumerate(leaves):
            assert verify_inclusion(leaf, index, len(leaves), inclusion_proof(leaves, index), root)

    @pytest.mark.parametrize("size", range(1, 9))
    def test_refuses_whatever_is_not_exactly_true(self, size: int) -> None:
        leaves, root = LEAVES[:size], merkle_root(LEAVES[:size])
        for index, leaf in enumerate(leaves):
            proof = inclusion_proof(leaves, index)
            stray = b"\x00" * 32
            assert not verify_inclusion(leaf + b"x", index, size, proof, root)
            assert not verify_inclusion(leaf, index, size, proof, stray)
            assert not verify_inclusion(leaf, index, size, [*proof, stray], root)
            assert not verify_inclusion(leaf, size, size, proof, root)
            assert not verify_inclusion(leaf, -1, size, proof, root)
            assert not verify_inclusion(leaf, index, 0, proof, root)
            for other in set(range(size)) - {index}:
                assert not verify_inclusion(leaf, other, size, proof, root)
            for position in range(len(proof)):
                assert not verify_inclusion(leaf, index, size, proof[:position], root)
                swapped = [*proof[:position], stray, *proof[position + 1 :]]
                assert not verify_inclusion(leaf, index, size, swapped, root)

    def test_refuses_a_sibling_of_another_length(self) -> None:
        leaves = [b"a", b"b"]
        assert not verify_inclusion(b"a", 0, 2, [leaf_hash(b"b")[:31]], merkle_root(leaves))

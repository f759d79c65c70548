"""Merkle tree hashing as in Certificate Transparency (RFC 6962 section 2.1, RFC 9162 section 2.1).

Leaves and inner nodes are hashed under different prefixes, so that no inner node can be passed off as a leaf.
The empty tree's hash is the hash of nothing. The order of the leaves matters and duplicates are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one leaf: ``SHA-256(0x00 || leaf)``, 32 bytes."""
    return hashlib.sha256(LEAF_PREFIX + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children: ``SHA-256(0x01 || left || right)``, 32 bytes."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Merkle tree hash of ``leaves``.

    Parameters
    ----------
    leaves : iterable of bytes
        The leaves' content, in order; they are hashed here.

    Returns
    -------
    bytes [shape=(32,)]
        MTH(D[n]) of RFC 9162 section 2.1.1; for no leaves ``SHA-256("")``.
    """
    level = [leaf_hash(leaf) for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def inclusion_proof(leaves: Iterable[bytes], index: int) -> list[bytes]:
    """Siblings that lead from leaf ``index`` up to the root.

    Parameters
    ----------
    leaves : iterable of bytes
        All leaves of the tree, in order.
    index : int
        Place of the leaf, 0 <= index < number of leaves.

    Returns
    -------
    list of bytes
        PATH(index, D[n]) of RFC 9162 section 2.1.3.1, the lowest sibling first; empty for a tree of one leaf.

    Raises
    ------
    IndexError
        If the tree has no leaf at ``index``.
    """
    level = [leaf_hash(leaf) for leaf in leaves]
    if not 0 <= index < len(level):
        raise IndexError(f"no leaf {index} in a tree of {len(level)}")
    proof = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = _level_above(level)
        index //= 2
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows ``leaf`` at ``index`` in the tree of ``size`` leaves under ``root``.

    The algorithm of RFC 9162 section 2.1.3.2. A malformed proof is a proof that does not hold: the answer is
    False, never an exception.

    Parameters
    ----------
    leaf : bytes
        The leaf's content, not its hash.
    index, size : int
        Place of the leaf and number of leaves in the tree.
    proof : sequence of bytes [shape=(32,)]
        What ``inclusion_proof`` gave.
    root : bytes [shape=(32,)]
        The tree's hash, from a source that is trusted.

    Returns
    -------
    bool
        True only if the leaf is proven to be in the tree at that place.
    """
    if not 0 <= index < size or any(len(sibling) != HASH_BYTES for sibling in proof):
        return False
    node, last, climbed = index, size - 1, leaf_hash(leaf)
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            climbed = node_hash(sibling, climbed)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            climbed = node_hash(climbed, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and climbed == root


def _level_above(level: list[bytes]) -> list[bytes]:
    above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        above.append(level[-1])
    return above

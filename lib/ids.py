"""Public identifiers."""

import uuid


def new_public_id() -> uuid.UUID:
    return uuid.uuid4()

"""Whose weights these are: what was registered without its music may have been registered with it before."""

from collections.abc import Sequence

from generation.models import ModelVersion


def origins_of(versions: Sequence[ModelVersion]) -> dict[int, list[ModelVersion]]:
    """Return, for versions whose music nobody named, those with the same weights whose music is on record.

    Told by the weights' sha256, within the organisation, oldest first; no entry where none is known. One query
    however many versions there are, and none where the music of all is on record.
    """
    unknown = [version for version in versions if version.dataset_version_id is None]
    if not unknown:
        return {}
    rows = (
        ModelVersion.objects.filter(
            weights_sha256__in={version.weights_sha256 for version in unknown},
            model__organisation__in={version.model.organisation_id for version in unknown},
            dataset_version__isnull=False,
        )
        .select_related("model__organisation", "dataset_version__dataset")
        .order_by("id")
    )
    known = list(rows)
    found = {version.pk: [one for one in known if _is_same(one, version)] for version in unknown}
    return {key: origins for key, origins in found.items() if origins}


def _is_same(one: ModelVersion, other: ModelVersion) -> bool:
    return (
        one.weights_sha256 == other.weights_sha256
        and one.model.organisation_id == other.model.organisation_id
    )


def said_of(origins: Sequence[ModelVersion]) -> str:
    """Say whose weights they are and what these were trained on; nothing where no origin is known."""
    if not origins:
        return ""
    named = [f"{one}, trained on {one.dataset_version}" for one in origins]
    return f"its weights are those of {' and of '.join(named)}"

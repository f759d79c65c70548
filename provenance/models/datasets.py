"""Datasets, what is registered in them, what was found to disagree, and the versions frozen from them."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import Case, Q, Value, When

from governance.models import Organisation, User
from lib.ids import new_public_id
from provenance.models.evidence import EvidenceDocument
from provenance.models.ranges import DateRange
from provenance.models.works import Recording, Right


class DatasetKind(models.TextChoices):
    TRAINING = "training", "Dataset"
    PROTECTED = "protected", "Protected collection"


class Dataset(models.Model):
    """A draft that grows by registering; a protected collection is checked against and never trained on."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="datasets")
    name = models.SlugField(max_length=100)
    kind = models.CharField(max_length=20, choices=DatasetKind.choices, default=DatasetKind.TRAINING)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="dataset_once"),
            models.CheckConstraint(condition=Q(kind__in=DatasetKind.values), name="dataset_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name


class Registration(models.Model):
    """One run of registering a source into a dataset."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="registrations")
    format = models.CharField(max_length=20)
    source_name = models.CharField(max_length=500)
    source_sha256 = models.CharField(max_length=64)
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField()
    n_registered = models.PositiveIntegerField(default=0)
    n_duplicate = models.PositiveIntegerField(default=0)
    n_rejected = models.PositiveIntegerField(default=0)
    unknown_columns = models.JSONField(default=list)
    warnings = models.JSONField(default=list)
    rejections = models.JSONField(default=list)  # [{row, external_id, reasons}]

    def __str__(self) -> str:
        return f"{self.source_name} into {self.dataset}"


class DatasetEntry(models.Model):
    """A recording as one dataset knows it: under its own external id, with that source's own columns."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="entries")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="entries")
    registration = models.ForeignKey(Registration, on_delete=models.PROTECT, related_name="entries")
    external_id = models.CharField(max_length=1000)
    row = models.PositiveIntegerField()
    title = models.CharField(max_length=500, blank=True)
    artist = models.CharField(max_length=500, blank=True)
    source_path = models.CharField(max_length=1000, blank=True)
    source_url = models.CharField(max_length=2000, blank=True)
    acquired_on = models.DateField(null=True, blank=True)
    unknown_columns = models.JSONField(default=dict)
    notes = models.JSONField(default=list)

    class Meta:
        ordering = ["dataset_id", "external_id"]
        verbose_name_plural = "dataset entries"
        constraints = [
            models.UniqueConstraint(fields=["dataset", "external_id"], name="entry_once_an_external_id"),
            models.UniqueConstraint(fields=["dataset", "recording"], name="entry_once_a_recording"),
        ]
        indexes = [  # what lists are sorted by
            models.Index(fields=["dataset", "title", "id"]),
            models.Index(fields=["dataset", "artist", "id"]),
        ]

    def __str__(self) -> str:
        return self.external_id


class StatementSource(models.TextChoices):
    EMBEDDED_TAG = "embedded_tag", "Tag in the file"
    PACKAGE_FILE = "package_file", "Package's copyright file"
    STEWARD = "steward", "Data steward"
    RIGHTS_HOLDER = "rights_holder", "Rights holder"
    REGISTRY = "registry", "Registry"


class LicenceStatement(models.Model):
    """What one source says about one right: which licence, by whom, where, when. Statements are never merged."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    entry = models.ForeignKey(DatasetEntry, on_delete=models.PROTECT, related_name="statements")
    right = models.CharField(max_length=20, choices=Right.choices)
    source = models.CharField(max_length=20, choices=StatementSource.choices)
    expression = models.CharField(max_length=500, blank=True)
    raw = models.TextField(blank=True)
    weak = models.BooleanField(default=False)
    evidence = models.CharField(max_length=2000, blank=True)
    quote = models.TextField(blank=True)
    holders = ArrayField(models.CharField(max_length=500), default=list)
    licence_url = models.CharField(max_length=2000, blank=True)
    document = models.ForeignKey(
        EvidenceDocument, null=True, blank=True, on_delete=models.PROTECT, related_name="statements"
    )
    territory = ArrayField(models.CharField(max_length=20), default=list)
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(right__in=Right.values), name="statement_right_known"),
            models.CheckConstraint(
                condition=Q(source__in=StatementSource.values), name="statement_source_known"
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None)
                | Q(valid_from=None)
                | Q(valid_until__gt=models.F("valid_from")),
                name="statement_period_forward",
            ),
            # Two licences of the same kind, from the same source, for the same right, may not hold at once.
            ExclusionConstraint(
                name="statement_periods_apart",
                expressions=[
                    ("entry", RangeOperators.EQUAL),
                    ("right", RangeOperators.EQUAL),
                    ("source", RangeOperators.EQUAL),
                    ("expression", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_until", Value("[)")), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.expression or 'no licence stated'} ({self.right})"


class ConflictStatus(models.TextChoices):
    OPEN = "open", "Open"
    RESOLVED = "resolved", "Resolved"
    DISMISSED = "dismissed", "Dismissed"
    SUPERSEDED = "superseded", "Superseded"  # what it rested on is gone: nobody had to decide


class ConflictSide(models.TextChoices):
    A = "a", "A"
    B = "b", "B"
    BOTH = "both", "Both"


WEIGHTS = {  # contradictory licences of one sound first, what a name alone says last
    "same_sound_two_licences": 90,
    "one_recording_two_licences": 80,
    "one_isrc_two_licences": 70,
    "tag_against_package": 60,
    "sources_disagree": 60,
    "claims_disagree": 50,
    "shares_overlap": 50,
    "one_isrc_two_holders": 40,
    "same_isrc": 40,
    "shares_gap": 30,
    "same_title_and_artist": 20,
    "one_holder_string_for_many": 10,
}
MIDDLING = 50
LESS_IF_WEAK = 5
FOLDED_KINDS = ("one_holder_string_for_many",)  # so weak, and so many, that lists count them instead
WEAK = {"statements": [{"weak": True}]}


class Conflict(models.Model):
    """Two pieces of evidence that cannot both be right. The stricter holds until a person resolves it."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="conflicts")
    kind = models.CharField(max_length=60)
    recording_a = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="conflicts_a")
    recording_b = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="conflicts_b")
    evidence_a = models.JSONField()
    evidence_b = models.JSONField()
    summary = models.CharField(max_length=1000)
    key = models.CharField(
        max_length=64
    )  # sha256 of kind, recordings and evidence: found twice is one conflict
    heard = models.JSONField(
        null=True, blank=True
    )  # the stretch that both hold, in seconds of each; null: not heard
    status = models.CharField(max_length=20, choices=ConflictStatus.choices, default=ConflictStatus.OPEN)
    in_favour_of = models.CharField(max_length=4, choices=ConflictSide.choices, blank=True)
    found_at = models.DateTimeField()
    resolved_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    salt = models.CharField(max_length=64, blank=True)
    weight = models.GeneratedField(
        expression=Case(
            *(When(kind=kind, then=Value(weight)) for kind, weight in WEIGHTS.items()),
            default=Value(MIDDLING),
        )
        - Case(
            When(Q(evidence_a__contains=WEAK) | Q(evidence_b__contains=WEAK), then=Value(LESS_IF_WEAK)),
            default=Value(0),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )

    class Meta:
        ordering = ["status", "-found_at", "id"]
        indexes = [  # the queue by weight, what of it is of one kind, and what was found last
            models.Index(fields=["organisation", "status", "weight", "found_at", "id"]),
            models.Index(fields=["organisation", "status", "kind", "weight", "found_at", "id"]),
            models.Index(fields=["organisation", "weight", "found_at", "id"]),
            models.Index(fields=["found_at", "id"]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="conflict_once"),
            models.CheckConstraint(
                condition=Q(status="open", resolved_by=None)
                | (
                    ~Q(status="open")
                    & Q(resolved_by__isnull=False, resolved_at__isnull=False)
                    & ~Q(reason="")
                ),
                name="conflict_closed_by_someone_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(in_favour_of="") | Q(status="resolved", in_favour_of__in=["a", "b", "both"]),
                name="conflict_resolved_in_favour_of_a_side",
            ),
        ]

    def __str__(self) -> str:
        return self.summary


class DatasetVersion(models.Model):
    """Frozen: a trigger refuses any change to it or to its entries."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    purpose = models.CharField(max_length=60)
    commercial = models.BooleanField()
    territory = models.CharField(max_length=20, blank=True)
    model = models.CharField(max_length=200, blank=True)  # NAME or NAME@VERSION; empty: for any model
    cleared_as_of = models.DateTimeField(null=True)  # null: before the instant was kept
    policy_name = models.CharField(max_length=100)
    policy_sha256 = models.CharField(max_length=64)
    conditions_accepted = models.JSONField(default=list)
    review_id = models.UUIDField()
    n_recordings = models.PositiveIntegerField()
    seconds = models.FloatField()
    n_left_out = models.PositiveIntegerField(default=0)
    merkle_root = models.CharField(max_length=64)
    frozen_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    frozen_at = models.DateTimeField()

    class Meta:
        ordering = ["dataset_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_once"),
            models.CheckConstraint(
                condition=Q(merkle_root__regex=r"^[0-9a-f]{64}$"), name="dataset_version_root"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name}@{self.number}"


class VersionEntry(models.Model):
    """One leaf of a frozen version's Merkle tree."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="entries")
    position = models.PositiveIntegerField()
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="version_entries")
    external_id = models.CharField(max_length=1000)
    manifest = models.JSONField()  # canonical: recording sha256, licence, grant, clearance
    leaf_hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["version_id", "position"]
        verbose_name_plural = "version entries"
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="version_position_once"),
            models.UniqueConstraint(fields=["version", "recording"], name="version_recording_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.position}"

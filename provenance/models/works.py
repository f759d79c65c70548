"""Works (compositions) and recordings (one sound file each)."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Q, Value
from django.utils import timezone

from governance.models import Organisation
from lib.ids import new_public_id
from provenance.models.evidence import EvidenceDocument
from provenance.models.parties import Party
from provenance.models.ranges import DateRange, MultiRangeField, whole_world


class Right(models.TextChoices):
    MASTER = "master", "Master"
    COMPOSITION = "composition", "Composition"


class ClaimedRight(models.TextChoices):
    """The two rights, and the parts of them that are claimed apart where somebody declares it."""

    MASTER = "master", "Master"
    COMPOSITION = "composition", "Composition"
    PERFORMANCE = "performance", "Performance and voice (part of the master)"
    LYRICS = "lyrics", "Lyrics (part of the composition)"


class Work(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="works")
    title = models.CharField(max_length=500)
    iswc = models.CharField(max_length=15, blank=True)
    composers = models.ManyToManyField(Party, related_name="works", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "iswc"], condition=~Q(iswc=""), name="work_once_an_iswc"
            )
        ]

    def __str__(self) -> str:
        return self.title


class RecordingKind(models.TextChoices):
    AUDIO = "audio", "Audio"
    TRACKER = "tracker", "Tracker module"
    SYMBOLIC = "symbolic", "Symbolic (MIDI)"
    ABSENT = "absent", "Known by metadata only"
    FINGERPRINT = "fingerprint", "Known by fingerprint only"


class Recording(models.Model):
    """One sound file, known by the sha256 of its bytes; what others say about its rights hangs on dataset entries."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="recordings")
    work = models.ForeignKey(Work, null=True, blank=True, on_delete=models.PROTECT, related_name="recordings")
    kind = models.CharField(max_length=20, choices=RecordingKind.choices)
    sha256 = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 — null: there is no file
    samples_sha256 = models.CharField(max_length=64, blank=True)
    decoder = models.CharField(max_length=60, blank=True)
    audio = models.CharField(max_length=300, blank=True)  # name in the storage
    title = models.CharField(max_length=500, blank=True)
    artist = models.CharField(max_length=500, blank=True)
    isrc = models.CharField(max_length=20, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    language = models.CharField(max_length=35, blank=True)
    country = models.CharField(max_length=2, blank=True)
    genre = models.CharField(max_length=200, blank=True)
    artist_gender = models.CharField(max_length=50, blank=True)
    codec = models.CharField(max_length=60, blank=True)
    sample_rate_hz = models.PositiveIntegerField(null=True, blank=True)
    n_channels = models.PositiveSmallIntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    silent = models.BooleanField(default=False)
    registered_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "samples_sha256"]),
            models.Index(fields=["organisation", "isrc"]),
            models.Index(fields=["organisation", "title", "id"]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sha256"], name="recording_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["absent", "fingerprint"]) | Q(sha256__isnull=False),
                name="recording_has_a_file",
            ),
            models.CheckConstraint(
                condition=Q(sha256=None) | Q(sha256__regex=r"^[0-9a-f]{64}$"), name="recording_sha256"
            ),
            models.CheckConstraint(condition=Q(seconds=None) | Q(seconds__gt=0), name="recording_lasts"),
        ]

    def __str__(self) -> str:
        return self.title or self.sha256 or str(self.public_id)


class RecordingIdentifier(models.Model):
    """A further identifier of a recording or its release, as it was written; an invalid one is kept and marked."""

    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="identifiers")
    scheme = models.CharField(max_length=20)  # isrc, grid, ean, iswc, …: a key of rights.identifiers.CHECKS
    written = models.CharField(max_length=200)
    compact = models.CharField(max_length=200)  # what it is compared by
    is_valid = models.BooleanField()
    why_invalid = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=30, default="steward")

    class Meta:
        indexes = [models.Index(fields=["scheme", "compact"])]
        constraints = [
            models.UniqueConstraint(
                fields=["recording", "scheme", "compact", "source"], name="identifier_once"
            ),
            models.CheckConstraint(
                condition=Q(is_valid=True, why_invalid="") | Q(is_valid=False),
                name="identifier_mark_explained",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme.upper()} {self.written}"


class RightsClaim(models.Model):
    """A party says that it holds a share of one right in a recording. Claims of several sources stand side by side."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="claims")
    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="claims")
    right = models.CharField(max_length=20, choices=ClaimedRight.choices)
    role = models.CharField(max_length=60, blank=True)
    share_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True, blank=True)
    territory = ArrayField(models.CharField(max_length=20), default=list)  # empty: the world
    territory_ranges = MultiRangeField(default=whole_world, editable=False)
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=30)
    evidence = models.CharField(max_length=1000, blank=True)
    document = models.ForeignKey(
        EvidenceDocument, null=True, blank=True, on_delete=models.PROTECT, related_name="claims"
    )
    recorded_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["recorded_at", "id"])]
        constraints = [
            models.CheckConstraint(condition=Q(right__in=ClaimedRight.values), name="claim_right_known"),
            models.CheckConstraint(
                condition=Q(share_percent=None) | Q(share_percent__gt=0, share_percent__lte=100),
                name="claim_share",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_from=None) | Q(valid_until__gt=F("valid_from")),
                name="claim_period_forward",
            ),
            # One source can't say twice what one party holds of one right in one place at one time.
            ExclusionConstraint(
                name="claim_once_a_place_and_time",
                expressions=[
                    ("recording", RangeOperators.EQUAL),
                    ("party", RangeOperators.EQUAL),
                    ("right", RangeOperators.EQUAL),
                    ("role", RangeOperators.EQUAL),
                    ("source", RangeOperators.EQUAL),
                    ("territory_ranges", RangeOperators.OVERLAPS),
                    (DateRange("valid_from", "valid_until", Value("[)")), RangeOperators.OVERLAPS),
                ],
                condition=Q(withdrawn_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party} claims the {self.right} of {self.recording}"

"""Grants: a licence given to someone for something."""

from datetime import datetime, timedelta

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Q, Value

from governance.models import Organisation, User
from lib.ids import new_public_id
from provenance.models.evidence import EvidenceDocument
from provenance.models.parties import Party
from provenance.models.ranges import DateRange, MultiRangeField, every_purpose, whole_world
from provenance.models.works import ClaimedRight, Recording


class GrantBasis(models.TextChoices):
    GRANT = "grant", "Given by a rights holder"
    OWN = "own", "The developer's own"


class Remuneration(models.TextChoices):
    UNSTATED = "", "Not stated"
    NONE = "none", "No payment"
    FLAT = "flat", "Flat fee"
    PRO_RATA_TRACK = "pro_rata_track", "Pro rata by track"
    PRO_RATA_SECOND = "pro_rata_second", "Pro rata by second"
    REVENUE_SHARE = "revenue_share", "Share of revenue"
    ATTRIBUTION = "attribution", "By attribution of outputs"


class Grant(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    deal = models.UUIDField(
        default=new_public_id, editable=False, db_index=True
    )  # the rights of one deal share it
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="grants")
    licensor = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="grants_given")
    licensee = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="grants_received")
    right = models.CharField(max_length=20, choices=ClaimedRight.choices)
    basis = models.CharField(max_length=10, choices=GrantBasis.choices, default=GrantBasis.GRANT)
    share_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True, blank=True)
    purposes = ArrayField(models.CharField(max_length=60))
    commercial = models.BooleanField(default=True)
    territory = ArrayField(models.CharField(max_length=20), default=list)
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    model_scope = ArrayField(models.CharField(max_length=200), default=list)
    document = models.CharField(max_length=1000, blank=True)
    document_sha256 = models.CharField(max_length=64, blank=True)
    conditions = ArrayField(models.CharField(max_length=100), default=list)
    agreement = models.ForeignKey(
        EvidenceDocument, null=True, blank=True, on_delete=models.PROTECT, related_name="grants"
    )
    chain_of_title = ArrayField(
        models.CharField(max_length=500), default=list
    )  # from the holder to the licensor
    exclusive = models.BooleanField(default=False)
    exclusive_except = ArrayField(
        models.CharField(max_length=500), default=list
    )  # licensees whose grants stand beside it; the licensor itself, where it is sole
    sunset_on = models.DateField(null=True, blank=True)  # from this day on derived weights may not be used
    output_uses = ArrayField(models.CharField(max_length=100), default=list)  # empty: not limited
    sublicensing = models.BooleanField(default=False)
    attribution = models.TextField(blank=True)  # the wording that is owed
    revocable = models.BooleanField(default=True)
    notice_days = models.PositiveIntegerField(null=True, blank=True)
    remuneration = models.CharField(max_length=20, choices=Remuneration.choices, blank=True)
    remuneration_terms = models.TextField(blank=True)
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField()
    revoked_from = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    revocation_reason = models.TextField(blank=True)
    revocation_salt = models.CharField(max_length=64, blank=True)
    revoked_despite_terms = models.TextField(blank=True)  # why, where the terms call it irrevocable
    reinstates = models.OneToOneField(  # the revoked grant that this one gives again; that stays revoked
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reinstated_by"
    )
    reinstatement_reason = models.TextField(blank=True)
    reinstatement_salt = models.CharField(max_length=64, blank=True)
    key = models.CharField(max_length=64)  # sha256 of the terms: registering a deal twice is one grant

    class Meta:
        ordering = ["-registered_at", "-id"]
        indexes = [models.Index(fields=["registered_at", "id"])]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="grant_once"),
            models.UniqueConstraint(
                fields=["deal", "right", "licensor"], name="grant_once_a_licensor_of_a_deal"
            ),
            models.CheckConstraint(condition=Q(right__in=ClaimedRight.values), name="grant_right_known"),
            models.CheckConstraint(condition=Q(basis__in=GrantBasis.values), name="grant_basis_known"),
            models.CheckConstraint(
                condition=Q(share_percent=None) | Q(share_percent__gt=0, share_percent__lte=100),
                name="grant_share",
            ),
            models.CheckConstraint(
                condition=Q(remuneration__in=Remuneration.values), name="grant_remuneration_known"
            ),
            models.CheckConstraint(condition=Q(purposes__len__gt=0), name="grant_for_something"),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_from=None) | Q(valid_until__gt=F("valid_from")),
                name="grant_period_forward",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_from=None, revoked_by=None)
                | (
                    Q(revoked_at__isnull=False, revoked_from__isnull=False, revoked_by__isnull=False)
                    & ~Q(revocation_reason="")
                ),
                name="grant_revoked_by_someone_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(reinstates=None, reinstatement_reason="")
                | (Q(reinstates__isnull=False, valid_from__isnull=False) & ~Q(reinstatement_reason="")),
                name="grant_reinstated_from_a_day_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.licensor} grants {self.licensee} the {self.right}"

    def end_of_notice(self, given_at: datetime) -> datetime:
        """Return when notice given then runs out; that very moment where the terms ask for none."""
        return given_at + timedelta(days=self.notice_days or 0)


class GrantRecording(models.Model):
    """A recording that a grant is for. What the exclusion constraint compares is repeated here from the grant."""

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="subjects")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="grant_links")
    exclusive = models.BooleanField(default=False)  # false too once the grant is revoked
    right = models.CharField(max_length=20, blank=True)
    licensor = models.ForeignKey(Party, null=True, on_delete=models.PROTECT, related_name="+")
    licensee = models.ForeignKey(Party, null=True, on_delete=models.PROTECT, related_name="+")
    territory_ranges = MultiRangeField(default=whole_world)
    purpose_ranges = MultiRangeField(default=every_purpose)
    valid_from = models.DateField(null=True)
    valid_until = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "recording"], name="grant_names_recording_once"),
            # Nobody grants the same right exclusively to two, for one purpose, in one place, at one time.
            ExclusionConstraint(
                name="grant_exclusive_to_one",
                expressions=[
                    ("recording", RangeOperators.EQUAL),
                    ("right", RangeOperators.EQUAL),
                    ("licensor", RangeOperators.EQUAL),
                    ("licensee", RangeOperators.NOT_EQUAL),
                    ("territory_ranges", RangeOperators.OVERLAPS),
                    ("purpose_ranges", RangeOperators.OVERLAPS),
                    (DateRange("valid_from", "valid_until", Value("[)")), RangeOperators.OVERLAPS),
                ],
                condition=Q(exclusive=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.grant}: {self.recording}"

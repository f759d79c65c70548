"""What rights holders reserved, and the memos that say a statute allows a use all the same."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from governance.models import Organisation, User
from lib.ids import new_public_id
from provenance.models.evidence import EvidenceDocument
from provenance.models.parties import Party
from provenance.models.works import Recording


class ReservedRight(models.TextChoices):
    MASTER = "master", "Master"
    COMPOSITION = "composition", "Composition"
    BOTH = "both", "Both rights"


class ReservationSource(models.TextChoices):
    DECLARED = "declared", "Declared by the rights holder"
    TDMREP_FILE = "tdmrep_file", "TDMRep, /.well-known/tdmrep.json"
    TDMREP_HEADER = "tdmrep_header", "TDMRep, header of the answer"
    TDMREP_PAGE = "tdmrep_page", "TDMRep, in the page or file"
    ROBOTS = "robots", "robots.txt"
    AI_TXT = "ai_txt", "ai.txt"
    AIPREF = "aipref", "IETF AIPREF (draft)"
    CAWG = "cawg", "C2PA/CAWG assertion in the file"


class Reservation(models.Model):
    """An opt-out, with when and where it was said. It binds from ``declared_at`` until it is withdrawn."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="reservations")
    right = models.CharField(max_length=20, choices=ReservedRight.choices, default=ReservedRight.BOTH)
    purposes = ArrayField(models.CharField(max_length=60), default=list)  # empty: training, mining, inference
    territory = ArrayField(models.CharField(max_length=20), default=list)
    source = models.CharField(max_length=20, choices=ReservationSource.choices)
    party = models.ForeignKey(
        Party, null=True, blank=True, on_delete=models.PROTECT, related_name="reservations"
    )
    location = models.CharField(max_length=2000, blank=True)  # URL or pattern that it speaks of
    policy_url = models.CharField(max_length=2000, blank=True)
    raw = models.TextField(blank=True)  # as it was found
    document = models.ForeignKey(
        EvidenceDocument, null=True, blank=True, on_delete=models.PROTECT, related_name="reservations"
    )
    declared_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    withdrawal_reason = models.TextField(blank=True)
    key = models.CharField(max_length=64)  # sha256 of what it says: read twice it is one

    class Meta:
        ordering = ["-declared_at", "-id"]
        indexes = [models.Index(fields=["declared_at", "id"])]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="reservation_once"),
            models.CheckConstraint(
                condition=Q(right__in=ReservedRight.values), name="reservation_right_known"
            ),
            models.CheckConstraint(
                condition=Q(source__in=ReservationSource.values), name="reservation_source_known"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None)
                | (Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdrawal_reason="")),
                name="reservation_withdrawn_by_someone_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.party or self.location or 'recordings'}"


class ReservationRecording(models.Model):
    """A recording that a reservation binds, and why it is held to speak of it."""

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="subjects")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="reservation_links")
    because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "recording"], name="reservation_names_recording_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reservation}: {self.recording}"


class ExceptionMemo(models.Model):
    """A named person's memo that a statutory exception covers a use of recordings lawfully had."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="memos")
    provision = models.CharField(max_length=300)  # the statute and its article
    purposes = ArrayField(models.CharField(max_length=60))
    territory = ArrayField(models.CharField(max_length=20), default=list)
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    signed_by = models.CharField(max_length=300)
    lawful_access = models.TextField()
    text = models.TextField(blank=True)
    document = models.ForeignKey(
        EvidenceDocument, null=True, blank=True, on_delete=models.PROTECT, related_name="memos"
    )
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    withdrawal_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-recorded_at", "-id"]
        indexes = [models.Index(fields=["recorded_at", "id"])]
        constraints = [
            models.CheckConstraint(condition=Q(purposes__len__gt=0), name="memo_for_something"),
            models.CheckConstraint(
                condition=~Q(signed_by="") & ~Q(lawful_access="") & ~Q(provision=""),
                name="memo_signed_with_lawful_access",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_from=None) | Q(valid_until__gt=F("valid_from")),
                name="memo_period_forward",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None, withdrawal_reason="")
                | (Q(withdrawn_at__isnull=False) & ~Q(withdrawal_reason="")),
                name="memo_withdrawn_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provision}, signed by {self.signed_by}"


class MemoRecording(models.Model):
    memo = models.ForeignKey(ExceptionMemo, on_delete=models.PROTECT, related_name="subjects")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="memo_links")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["memo", "recording"], name="memo_names_recording_once")
        ]

    def __str__(self) -> str:
        return f"{self.memo}: {self.recording}"

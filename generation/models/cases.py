"""Cases: what a rights holder asks, from the day it came in to the signed answer.

    FILED -> OPEN (recordings linked, identity checked) -> ANSWERED, or FILED -> REJECTED
    FILED, or OPEN with nothing decided -> WITHDRAWN, by whoever filed it

A case that is only filed binds nobody: a stranger's form must not be able to stop a model. From OPEN on it does
(``queries_cases.standing_of``). Who asked and how to reach them stands in the row alone; the ledger has commitments.
"""

from datetime import date, timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from generation.models.making import Generation, ModelVersion
from governance.models import Organisation, User
from lib.ids import new_public_id
from provenance.models import Grant, Recording


class CaseKind(models.TextChoices):
    REVOKE = "revoke", "Revoke a grant"
    OPT_OUT = "opt_out", "Opt out of training"
    INQUIRY = "inquiry", "Ask whether recordings are in a model"
    LEAK = "leak", "Report an output that copies a recording"


class CaseChannel(models.TextChoices):
    PUBLIC = "public", "Public form"
    LABEL = "label", "A label, signed in"
    BEHALF = "behalf", "Taken down by a member"


class CaseState(models.TextChoices):
    FILED = "filed", "Received"
    OPEN = "open", "Being decided"
    ANSWERED = "answered", "Answered"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Remedy(models.TextChoices):
    RETRAIN = "retrain", "Retrain without the recordings"
    BLOCK = "block", "Block at output"
    NEGOTIATE = "negotiate", "Negotiate"
    REJECT = "reject", "Reject"


def _days() -> list[MinValueValidator | MaxValueValidator]:
    return [MinValueValidator(1), MaxValueValidator(365)]


class CaseTerms(models.Model):
    """In how many days an organisation answers, by what is asked.

    No statute sets a period for opting out of training. 30 days is the month that Art. 12(3) GDPR gives for the
    answer to a person's request; what may be doing harm now (a revocation, a leak) is answered sooner.
    """

    organisation = models.OneToOneField(Organisation, on_delete=models.PROTECT, related_name="case_terms")
    revoke_days = models.PositiveSmallIntegerField(default=14, validators=_days())
    opt_out_days = models.PositiveSmallIntegerField(default=30, validators=_days())
    inquiry_days = models.PositiveSmallIntegerField(default=30, validators=_days())
    leak_days = models.PositiveSmallIntegerField(default=14, validators=_days())
    public_form = models.BooleanField(default=True)  # whether strangers may file here

    class Meta:
        verbose_name_plural = "case terms"
        constraints = [
            models.CheckConstraint(
                condition=Q(revoke_days__range=(1, 365))
                & Q(opt_out_days__range=(1, 365))
                & Q(inquiry_days__range=(1, 365))
                & Q(leak_days__range=(1, 365)),
                name="case_terms_within_a_year",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organisation}: {self.opt_out_days} days for an opt-out"

    def days_for(self, kind: str) -> int:
        return int(getattr(self, f"{CaseKind(kind).value}_days"))

    def due_on(self, kind: str, filed_on: date) -> date:
        return filed_on + timedelta(days=self.days_for(kind))


class Case(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    reference = models.CharField(max_length=20, unique=True)  # what the holder quotes
    secret_sha256 = models.CharField(max_length=64)  # of the secret in the holder's link
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="cases")
    kind = models.CharField(max_length=20, choices=CaseKind.choices)
    channel = models.CharField(max_length=20, choices=CaseChannel.choices)
    state = models.CharField(max_length=20, choices=CaseState.choices, default=CaseState.FILED)
    holder = models.CharField(max_length=300)
    contact = models.CharField(max_length=300, blank=True)
    holds = models.TextField(blank=True)  # what they say they hold
    words = models.TextField(blank=True)  # what they ask, in their own words
    isrcs = ArrayField(models.CharField(max_length=30), default=list)
    titles = ArrayField(models.CharField(max_length=500), default=list)
    urls = ArrayField(models.CharField(max_length=2000), default=list)
    grant = models.ForeignKey(Grant, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")
    output = models.ForeignKey(
        Generation, null=True, blank=True, on_delete=models.PROTECT, related_name="cases"
    )
    sound = models.CharField(max_length=300, blank=True)  # name in the storage
    sound_name = models.CharField(max_length=300, blank=True)
    fingerprint = models.BinaryField(null=True)
    heard = models.JSONField(default=list)  # [{recording, score, because}]: what the sound resembles
    heard_problem = models.CharField(max_length=500, blank=True)
    salt = models.CharField(max_length=64)
    filed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    filed_at = models.DateTimeField()
    due_on = models.DateField()
    verified_how = models.TextField(blank=True)  # who the holder is, and how that was checked
    verified_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closing_words = models.TextField(
        blank=True
    )  # why it is rejected or withdrawn, or what the holder is told
    erased_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    erased_at = models.DateTimeField(null=True, blank=True)  # since then nobody's name stands here
    erased_because = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["due_on", "id"]
        indexes = [
            models.Index(fields=["organisation", "state", "due_on"]),
            models.Index(fields=["due_on", "id"]),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=CaseKind.values), name="case_kind_known"),
            models.CheckConstraint(condition=Q(channel__in=CaseChannel.values), name="case_channel_known"),
            models.CheckConstraint(condition=~Q(holder=""), name="case_of_somebody"),
            models.CheckConstraint(
                condition=Q(channel="public", filed_by=None)
                | (~Q(channel="public") & Q(filed_by__isnull=False)),
                name="case_filed_by_a_member_or_a_stranger",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["filed", "rejected", "withdrawn"])
                | (Q(verified_by__isnull=False, verified_at__isnull=False) & ~Q(verified_how="")),
                name="case_open_once_the_holder_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["filed", "open"], closed_at=None, closed_by=None)
                | (
                    Q(state__in=["answered", "rejected"], closed_at__isnull=False, closed_by__isnull=False)
                    & ~Q(closing_words="")
                )
                | Q(state="withdrawn", closed_at__isnull=False),  # by whom: nobody known, who has its secret
                name="case_closed_by_someone_in_words",
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None, erased_by=None, erased_because="")
                | (
                    Q(erased_at__isnull=False, erased_by__isnull=False, closed_at__isnull=False)
                    & Q(contact="", holds="", words="", sound_name="", salt="")
                    & ~Q(erased_because="")
                ),
                name="case_erased_once_closed_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference}, {self.get_kind_display().lower()}"

    @property
    def is_closed(self) -> bool:
        return self.state in {CaseState.ANSWERED, CaseState.REJECTED, CaseState.WITHDRAWN}

    def is_overdue(self, on: date) -> bool:
        return not self.is_closed and on > self.due_on


class CaseRecording(models.Model):
    """A recording that a case is about, and why it is held to be."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="subjects")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="case_links")
    because = models.CharField(max_length=300)
    linked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    linked_at = models.DateTimeField()

    class Meta:
        ordering = ["case_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "recording"], name="case_names_recording_once")
        ]

    def __str__(self) -> str:
        return f"{self.case}: {self.recording}"


class CaseDecision(models.Model):
    """What becomes of one model because of a case. Never edited: the newest one of a case and a model counts."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="decisions")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="case_decisions")
    remedy = models.CharField(max_length=20, choices=Remedy.choices)
    until = models.DateField(null=True, blank=True)  # by when terms are to be agreed
    reason = models.TextField()
    reasons_known = models.JSONField(default=list)  # why the recordings were not cleared when it was decided
    salt = models.CharField(max_length=64)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ["case_id", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(remedy__in=Remedy.values), name="case_remedy_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="case_decided_for_a_reason"),
            models.CheckConstraint(
                condition=Q(remedy="negotiate", until__isnull=False)
                | (~Q(remedy="negotiate") & Q(until=None)),
                name="case_negotiated_until_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case}: {self.get_remedy_display()}, {self.model_version}"


class CaseAnswer(models.Model):
    """The answer as the holder got it: signed, never edited. A later decision is answered by a later one."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="answers")
    number = models.PositiveSmallIntegerField()
    payload = models.JSONField()
    sha256 = models.CharField(max_length=64)  # of the payload's canonical form
    key_id = models.CharField(max_length=64)
    public_key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    issued_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["case_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="case_answer_once_a_number"),
            models.CheckConstraint(condition=Q(number__gt=0), name="case_answer_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.case}, answer {self.number}"

"""Who decides: organisations, people and their roles, policies, reviews, jobs, and the ledger of what was done."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from lib.ids import new_public_id


class Role(models.TextChoices):
    COMPLIANCE_OFFICER = "compliance_officer", "Compliance officer"
    LABEL_AUDITOR = "label_auditor", "Label auditor"
    DATA_STEWARD = "data_steward", "Data steward"
    ML_ENGINEER = "ml_engineer", "ML engineer"
    EXTERNAL_AUDITOR = "external_auditor", "External auditor"


class Organisation(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    name = models.CharField(max_length=200, unique=True)
    clearance_policy = models.CharField(max_length=100, default="default")  # until a policy is adopted
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    is_system = models.BooleanField(default=False)  # acts for commands; can approve nothing


class MemberQuerySet(models.QuerySet["Member"]):
    def current(self, now: datetime) -> "MemberQuerySet":
        return self.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now)


class Member(models.Model):
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="members")
    role = models.CharField(max_length=30, choices=Role.choices)
    valid_from = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField(null=True, blank=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organisation", "role"], name="member_once_a_role"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_role_known"),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")),
                name="member_period_forward",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user.username}, {self.get_role_display()} of {self.organisation.name}"


class Policy(models.Model):
    """An organisation's own reading of contested terms, as proposed; a trigger refuses any change to it.

    It holds from its adoption on. The shipped readings live in files; one that was adopted is kept here too.
    """

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="policies")
    name = models.SlugField(max_length=100)
    version = models.PositiveIntegerField(default=1)
    body = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name", "version"], name="policy_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Decision(models.TextChoices):
    PENDING = "pending", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    SUSPENDED = "suspended", "Suspended"


class Question(models.TextChoices):
    DATASET_APPROVAL = "dataset.approval", "May this dataset be used?"
    MODEL_RELEASE = "model.release", "May this model be released?"
    GENERATION_RELEASE = "generation.release", "May this output be released?"
    POLICY_ADOPTION = "policy.adoption", "May this policy come into force?"


class Review(models.Model):
    """One question put to a person, and their answer. Whoever asks cannot answer."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="reviews")
    question = models.CharField(max_length=40, choices=Question.choices)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    subject_name = models.CharField(max_length=300)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    why = models.TextField(blank=True)
    decision = models.CharField(max_length=20, choices=Decision.choices, default=Decision.PENDING)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    conditions = models.JSONField(default=list, blank=True)
    salt = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id"]),
            models.Index(fields=["asked_at", "id"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["question", "subject_kind", "subject_id"],
                condition=Q(decision="pending"),
                name="review_one_open_question",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("asked_by")), name="review_not_by_who_asked"
            ),
            models.CheckConstraint(
                condition=(Q(decision="pending", decided_by=None, decided_at=None))
                | (
                    ~Q(decision="pending")
                    & Q(decided_by__isnull=False, decided_at__isnull=False)
                    & ~Q(reason="")
                ),
                name="review_decided_by_someone_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_question_display()} {self.subject_name}: {self.get_decision_display()}"


class PolicyAdoption(models.Model):
    """From when a policy holds, until the next; a trigger refuses any change, so that the past stays answerable."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="adoptions")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="adoptions")
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="adoption")
    in_force_from = models.DateTimeField()

    class Meta:
        ordering = ["-in_force_from", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "in_force_from"], name="adoption_once_an_instant")
        ]

    def __str__(self) -> str:
        return f"{self.policy} from {self.in_force_from.isoformat()}"


class JobState(models.TextChoices):
    QUEUED = "queued", "Waiting for a worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Stopped"


class Job(models.Model):
    """A row for long work: QUEUED -> RUNNING -> DONE | FAILED | CANCELLED; RUNNING -> QUEUED when its worker died.

    The row is the truth; the broker only wakes a worker.
    """

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_id = models.UUIDField(null=True, blank=True)
    subject_name = models.CharField(max_length=300, blank=True)
    arguments = models.JSONField(default=dict)
    state = models.CharField(max_length=20, choices=JobState.choices, default=JobState.QUEUED)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    n_attempts = models.PositiveIntegerField(default=0)
    n_done = models.PositiveIntegerField(default=0)
    n_total = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    outcome = models.JSONField(default=dict, blank=True)
    stop_requested = models.BooleanField(default=False)

    class Meta:
        ordering = ["-asked_at", "-id"]
        indexes = [
            models.Index(fields=["state", "kind"]),
            models.Index(fields=["subject_kind", "subject_id"]),
            models.Index(fields=["asked_at", "id"]),
        ]
        constraints = [models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state_known")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject_name}: {self.get_state_display()}"

    @property
    def percent(self) -> int:
        if self.state == JobState.DONE:
            return 100
        return min(99, 100 * self.n_done // self.n_total) if self.n_total else 0


class LedgerEvent(models.Model):
    """One line of the ledger. A trigger refuses UPDATE, DELETE and TRUNCATE."""

    sequence = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    actor_id = models.UUIDField()
    organisation_id = models.UUIDField()
    at = models.DateTimeField()
    body = models.JSONField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["sequence"]
        indexes = [models.Index(fields=["subject_kind", "subject_id"]), models.Index(fields=["kind"])]
        constraints = [models.CheckConstraint(condition=Q(sequence__gte=1), name="ledger_counts_from_one")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"

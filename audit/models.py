"""What was judged: campaigns, attestations, assessments and the signed reports made from them."""

from django.db import models
from django.db.models import F, Q

from generation.models import ModelVersion
from governance.models import Organisation, User
from lib.ids import new_public_id


class Campaign(models.Model):
    """A planned batch of measurements of one model version, kept with its settings and figures."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="campaigns")
    model_version = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns"
    )
    kind = models.CharField(max_length=30)
    settings = models.JSONField()
    figures = models.JSONField(default=dict)
    run_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.model_version}"


class Conformance(models.TextChoices):
    MET = "met", "Met"
    PARTLY = "partly", "Partly met"
    NOT_MET = "not_met", "Not met"
    NOT_APPLICABLE = "not_applicable", "Not applicable"
    NOT_ASSESSED = "not_assessed", "Not assessed"


class Attestation(models.Model):
    """A person's word on one feature, with what it rests on. The effective date is not the date of upload."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="attestations")
    framework = models.CharField(max_length=40)
    feature = models.CharField(max_length=40)
    conformance = models.CharField(max_length=20, choices=Conformance.choices)
    reason = models.TextField()
    evidence = models.CharField(max_length=2000, blank=True)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    effective_on = models.DateField()
    attested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    attested_at = models.DateTimeField()

    class Meta:
        ordering = ["-attested_at", "-id"]
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="attestation_has_a_reason")]

    def __str__(self) -> str:
        return f"{self.framework} {self.feature}: {self.get_conformance_display()}"


class Assessment(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="assessments")
    framework = models.CharField(max_length=40)
    framework_version = models.CharField(max_length=40)
    n_features = models.PositiveSmallIntegerField()
    n_evidenced = models.PositiveSmallIntegerField()
    assessed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    assessed_at = models.DateTimeField()

    class Meta:
        ordering = ["-assessed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(n_evidenced__lte=F("n_features")), name="assessment_coverage_in_range"
            )
        ]

    def __str__(self) -> str:
        return f"{self.framework} of {self.model_version}"


class FeatureAnswer(models.Model):
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, related_name="answers")
    feature = models.CharField(max_length=40)
    conformance = models.CharField(max_length=20, choices=Conformance.choices)
    reason = models.TextField()
    evidence = models.JSONField(
        default=list
    )  # [{kind, id, label, value}]: the rows the figure was computed from

    class Meta:
        ordering = ["assessment_id", "feature"]
        constraints = [
            models.UniqueConstraint(fields=["assessment", "feature"], name="feature_answered_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="feature_answer_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.feature}: {self.get_conformance_display()}"


class Report(models.Model):
    """A signed snapshot. The files are the report; this row says where they are and what binds them."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, related_name="reports")
    folder = models.CharField(max_length=300)
    snapshot_sha256 = models.CharField(max_length=64)
    signature = models.TextField()
    key_id = models.CharField(max_length=64)
    issued_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-issued_at", "-id"]

    def __str__(self) -> str:
        return f"Report on {self.assessment.model_version}"

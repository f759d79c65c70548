"""What an answer rests on, kept as it was on the day it was read."""

from django.db import models
from django.db.models import Q

from governance.models import Organisation, User
from lib.ids import new_public_id


class EvidenceKind(models.TextChoices):
    AGREEMENT = "agreement", "Agreement"
    LICENCE_TEXT = "licence_text", "Licence text"
    WEB_PAGE = "web_page", "Web page"
    RESERVATION = "reservation", "Opt-out as it was published"
    MEMO = "memo", "Legal memo"


class EvidenceDocument(models.Model):
    """A file or page, kept by its hash. It took effect on one day and was received at another; both are kept."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=20, choices=EvidenceKind.choices)
    name = models.CharField(max_length=300)
    url = models.CharField(max_length=2000, blank=True)
    sha256 = models.CharField(max_length=64)
    file = models.CharField(max_length=300)  # name in the storage
    media_type = models.CharField(max_length=100, blank=True)
    size_bytes = models.BigIntegerField()
    effective_on = models.DateField(null=True, blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)  # when the page was read; null: brought by hand
    received_at = models.DateTimeField()
    received_from = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    confidential = models.BooleanField(default=False)

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [models.Index(fields=["received_at", "id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "kind", "sha256", "url"], name="evidence_document_once"
            ),
            models.CheckConstraint(condition=Q(kind__in=EvidenceKind.values), name="evidence_kind_known"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="evidence_document_sha256"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EvidenceSubject(models.Model):
    """What a kept document is about: a licence of the catalogue, a recording, or a dataset; one of them a row."""

    document = models.ForeignKey(EvidenceDocument, on_delete=models.PROTECT, related_name="subjects")
    licence = models.CharField(max_length=200, blank=True)
    recording = models.ForeignKey(
        "provenance.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="evidence_links"
    )
    dataset = models.ForeignKey(
        "provenance.Dataset", null=True, blank=True, on_delete=models.PROTECT, related_name="evidence_links"
    )
    linked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    linked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["licence"])]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "licence", "recording", "dataset"],
                name="evidence_subject_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=(Q(recording=None, dataset=None) & ~Q(licence=""))
                | Q(recording__isnull=False, dataset=None, licence="")
                | Q(recording=None, dataset__isnull=False, licence=""),
                name="evidence_subject_is_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} for {self.licence or self.recording or self.dataset}"

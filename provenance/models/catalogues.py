"""Catalogues that labels bring, and what they were answered: which of their recordings are in which datasets."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from governance.models import Organisation, User
from lib.ids import new_public_id
from provenance.models.datasets import Dataset
from provenance.models.works import Recording


class Catalogue(models.Model):
    """A label's list of its recordings. Its audio is read once, for hashes and fingerprints, and not kept."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="catalogues")
    name = models.CharField(max_length=200)
    source_name = models.CharField(max_length=500)
    source_sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=20)
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    n_rows = models.PositiveIntegerField(default=0)
    rejections = models.JSONField(default=list)  # [{row, external_id, reasons}]
    warnings = models.JSONField(default=list)

    class Meta:
        ordering = ["-uploaded_at", "-id"]
        indexes = [models.Index(fields=["uploaded_at", "id"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(source_sha256__regex=r"^[0-9a-f]{64}$"), name="catalogue_sha256"
            )
        ]

    def __str__(self) -> str:
        return self.name


class CatalogueRow(models.Model):
    """One recording as the label lists it."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    catalogue = models.ForeignKey(Catalogue, on_delete=models.CASCADE, related_name="rows")
    row = models.PositiveIntegerField()
    external_id = models.CharField(max_length=1000)
    title = models.CharField(max_length=500, blank=True)
    artist = models.CharField(max_length=500, blank=True)
    isrc = models.CharField(max_length=20, blank=True)
    isrc_is_valid = models.BooleanField(default=False)
    releases = ArrayField(
        models.CharField(max_length=40), default=list
    )  # "ean:4006381333931", valid ones only
    seconds = models.FloatField(null=True, blank=True)
    samples_sha256 = models.CharField(max_length=64, blank=True)
    fingerprint = models.BinaryField(null=True)
    notes = models.JSONField(default=list)

    class Meta:
        ordering = ["catalogue_id", "row", "id"]
        constraints = [
            models.UniqueConstraint(fields=["catalogue", "external_id"], name="catalogue_row_once"),
            models.CheckConstraint(condition=Q(seconds=None) | Q(seconds__gt=0), name="catalogue_row_lasts"),
        ]

    def __str__(self) -> str:
        return self.title or self.external_id


class CatalogueRun(models.Model):
    """One catalogue held against one dataset by one person: what the dataset's owner reads in the log."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    catalogue = models.ForeignKey(Catalogue, on_delete=models.CASCADE, related_name="runs")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="catalogue_runs")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    run_at = models.DateTimeField()
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=60)
    n_rows = models.PositiveIntegerField()
    n_found = models.PositiveIntegerField()
    n_probable = models.PositiveIntegerField()
    n_rows_listened = models.PositiveIntegerField(default=0)  # rows whose sound could be compared
    n_recordings = models.PositiveIntegerField()
    n_recordings_indexed = models.PositiveIntegerField(default=0)  # recordings it could be compared with
    is_latest = models.BooleanField(default=True)

    class Meta:
        ordering = ["-run_at", "-id"]
        indexes = [models.Index(fields=["run_at", "id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["catalogue", "dataset"],
                condition=Q(is_latest=True),
                name="catalogue_run_one_latest",
            ),
            models.CheckConstraint(
                condition=Q(n_rows__gte=F("n_found") + F("n_probable")), name="catalogue_run_adds_up"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.catalogue} against {self.dataset}"

    @property
    def n_not_found(self) -> int:
        return self.n_rows - self.n_found - self.n_probable


class CatalogueAnswer(models.TextChoices):
    FOUND = "found", "Found"
    PROBABLE = "probable", "Probable"
    NOT_FOUND = "not_found", "Not found"


class CatalogueMatch(models.Model):
    """What one row was answered in one run: each recording that it may be, the surest first; one line where none is."""

    run = models.ForeignKey(CatalogueRun, on_delete=models.CASCADE, related_name="matches")
    row = models.ForeignKey(CatalogueRow, on_delete=models.CASCADE, related_name="matches")
    rank = models.PositiveSmallIntegerField(default=1)
    recording = models.ForeignKey(
        Recording, null=True, blank=True, on_delete=models.PROTECT, related_name="catalogue_matches"
    )
    answer = models.CharField(max_length=20, choices=CatalogueAnswer.choices)
    score = models.FloatField(default=0.0)
    evidence = models.JSONField(default=list)

    class Meta:
        ordering = ["row_id", "run_id", "rank"]
        verbose_name_plural = "catalogue matches"
        indexes = [models.Index(fields=["run", "answer"])]
        constraints = [
            models.UniqueConstraint(fields=["run", "row", "rank"], name="catalogue_match_rank_once"),
            models.CheckConstraint(
                condition=Q(answer__in=CatalogueAnswer.values), name="catalogue_match_answer_known"
            ),
            models.CheckConstraint(
                condition=Q(answer="not_found", recording=None)
                | (~Q(answer="not_found") & Q(recording__isnull=False)),
                name="catalogue_match_names_what_it_found",
            ),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="catalogue_match_score"),
        ]

    def __str__(self) -> str:
        return f"{self.row}: {self.get_answer_display()}"

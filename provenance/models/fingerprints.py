"""Fingerprints of recordings, and the indexes built from them."""

from django.db import models
from django.db.models import Q

from lib.ids import new_public_id
from provenance.models.datasets import Dataset, DatasetVersion
from provenance.models.works import Recording


class Fingerprint(models.Model):
    """What is kept of a recording's sound for one kind of likeness, the *print* of `provenance.similarity.kinds`."""

    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="fingerprints")
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=60)
    model_sha256 = models.CharField(max_length=64, blank=True)  # of a learned fingerprint's weights
    payload = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recording", "method", "method_version", "model_sha256"], name="fingerprint_once"
            ),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="fingerprint_sha256"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.method_version} of {self.recording}"


class IndexBuild(models.Model):
    """An index file over one dataset or version. A newer build replaces an older one; the older row stays."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="indexes")
    version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="indexes"
    )
    kind = models.CharField(max_length=20)
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=60)
    file = models.CharField(max_length=300)
    file_sha256 = models.CharField(max_length=64)
    contents_sha256 = models.CharField(
        max_length=64
    )  # of (recording, fingerprint) pairs: tells when it is stale
    n_recordings = models.PositiveIntegerField()
    n_expected = models.PositiveIntegerField()
    n_windows = models.BigIntegerField()
    seconds = models.FloatField()
    built_at = models.DateTimeField()

    class Meta:
        ordering = ["-built_at", "-id"]
        indexes = [models.Index(fields=["dataset", "version", "kind"])]

    def __str__(self) -> str:
        return f"{self.kind} index of {self.version or self.dataset}"

    @property
    def covers_all(self) -> bool:
        return self.n_recordings == self.n_expected


class Calibration(models.Model):
    """What strangers reach in an index, as `provenance.similarity.calibration` measured it. Never edited."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    index = models.ForeignKey(IndexBuild, on_delete=models.PROTECT, related_name="calibrations")
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=60)
    stock_sha256 = models.CharField(max_length=64)
    n_tracks = models.PositiveIntegerField()
    n_strangers = models.PositiveIntegerField()
    measured = models.JSONField()
    before = models.ForeignKey(  # what held until the index was built anew
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    seconds = models.FloatField()
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(stock_sha256__regex=r"^[0-9a-f]{64}$"), name="calibration_stock_sha256"
            )
        ]

    def __str__(self) -> str:
        return f"calibration of the {self.index}"

"""Answers kept so that a page need not work them out again, and what a steward leaves out of the next version."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from governance.models import User
from lib.ids import new_public_id
from provenance.models.datasets import Dataset, DatasetEntry, DatasetVersion


class ClearanceRun(models.Model):
    """All answers of a dataset to one question, as of what was known when ``stamp`` was the ledger's last word.

    A cache, never a record: it is shown only while nothing that it rests on has changed (`clearances.is_current`).
    """

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="clearance_runs")
    version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="clearance_runs"
    )
    question = models.CharField(max_length=64)  # sha256 of the question, version and policy
    stamp = models.BigIntegerField()  # the last event of the ledger that may change an answer, when it began
    readings = models.CharField(max_length=64)  # sha256 of the catalogue and the code that read it
    asked_at = models.DateTimeField()  # the instant that was asked about
    holds_until = models.DateTimeField(
        null=True
    )  # null: about a day that was named, which time does not change
    computed_at = models.DateTimeField()
    n_recordings = models.PositiveIntegerField()
    counts = models.JSONField(default=dict)
    seconds = models.JSONField(default=dict)
    conditions = models.JSONField(default=dict)
    licences = models.JSONField(default=list)  # [[licence, recordings], …], most first
    holders = models.JSONField(default=list)
    bases = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "question"], name="clearance_run_once_a_question")
        ]

    def __str__(self) -> str:
        return f"{self.dataset}, {self.computed_at:%Y-%m-%d %H:%M}"


class ClearanceRow(models.Model):
    """One recording's answer in a run: no more than lists are narrowed by."""

    run = models.ForeignKey(ClearanceRun, on_delete=models.CASCADE, related_name="rows")
    entry = models.ForeignKey(DatasetEntry, on_delete=models.CASCADE, related_name="clearance_rows")
    answer = models.CharField(max_length=20)
    master = models.CharField(max_length=20)
    composition = models.CharField(max_length=20)
    master_basis = models.CharField(max_length=20, blank=True)
    composition_basis = models.CharField(max_length=20, blank=True)
    licences = ArrayField(models.CharField(max_length=500), default=list)
    holders = ArrayField(models.CharField(max_length=500), default=list)
    weak = models.BooleanField(default=False)
    contested = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "entry"], name="clearance_row_once")]

    def __str__(self) -> str:
        return f"{self.entry}: {self.answer}"


class Omission(models.Model):
    """A steward leaves a recording out of every version frozen from now on, until it is taken back in."""

    entry = models.ForeignKey(DatasetEntry, on_delete=models.PROTECT, related_name="omissions")
    left_out_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    left_out_at = models.DateTimeField()
    reason = models.TextField()
    salt = models.CharField(max_length=64, blank=True)
    taken_back_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    taken_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["entry"], condition=Q(taken_back_at=None), name="entry_left_out_once"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="omission_for_a_reason"),
            models.CheckConstraint(
                condition=Q(taken_back_at=None, taken_back_by=None)
                | Q(taken_back_at__gte=F("left_out_at"), taken_back_by__isnull=False),
                name="omission_taken_back_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry} left out: {self.reason}"

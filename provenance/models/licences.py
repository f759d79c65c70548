"""Grants: a licence given to someone for something."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from governance.models import Organisation, User
from lib.ids import new_public_id
from provenance.models.parties import Party
from provenance.models.works import Recording, Right


class Grant(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="grants")
    licensor = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="grants_given")
    licensee = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="grants_received")
    right = models.CharField(max_length=20, choices=Right.choices)
    purposes = ArrayField(models.CharField(max_length=60))
    commercial = models.BooleanField(default=True)
    territory = ArrayField(models.CharField(max_length=20), default=list)
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    model_scope = ArrayField(models.CharField(max_length=200), default=list)
    document = models.CharField(max_length=1000, blank=True)
    document_sha256 = models.CharField(max_length=64, blank=True)
    conditions = ArrayField(models.CharField(max_length=100), default=list)
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField()
    revoked_from = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    revocation_reason = models.TextField(blank=True)
    revocation_salt = models.CharField(max_length=64, blank=True)
    key = models.CharField(max_length=64)  # sha256 of the terms: registering a deal twice is one grant

    class Meta:
        ordering = ["-registered_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="grant_once"),
            models.CheckConstraint(condition=Q(right__in=Right.values), name="grant_right_known"),
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
        ]

    def __str__(self) -> str:
        return f"{self.licensor} grants {self.licensee} the {self.right}"


class GrantRecording(models.Model):
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="subjects")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="grant_links")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "recording"], name="grant_names_recording_once")
        ]

    def __str__(self) -> str:
        return f"{self.grant}: {self.recording}"

"""Who holds rights."""

from django.db import models
from django.db.models import Q

from governance.models import Organisation
from lib.ids import new_public_id


class Party(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="parties")
    name = models.CharField(max_length=500)
    isni = models.CharField(max_length=16, blank=True)
    ipi_name = models.CharField(max_length=11, blank=True)

    class Meta:
        verbose_name_plural = "parties"
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="party_once"),
            models.CheckConstraint(condition=~Q(name=""), name="party_named"),
        ]

    def __str__(self) -> str:
        return self.name

"""Who holds rights."""

from django.db import models
from django.db.models import Q

from governance.models import Organisation
from lib.ids import new_public_id


class Party(models.Model):
    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="parties")
    name = models.CharField(max_length=500)
    isni = models.CharField(max_length=40, blank=True)  # identifiers as they were written; an invalid one is
    ipi_name = models.CharField(max_length=40, blank=True)  # marked where it is shown, never mended
    ipi_base = models.CharField(max_length=40, blank=True)
    dpid = models.CharField(max_length=40, blank=True)
    stands_for = models.ForeignKey(  # the organisation that this party is, where it has people here
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="known_as"
    )

    class Meta:
        verbose_name_plural = "parties"
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="party_once"),
            models.CheckConstraint(condition=~Q(name=""), name="party_named"),
        ]

    def __str__(self) -> str:
        return self.name

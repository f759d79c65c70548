"""Give each grant its deal: two rights granted by the same terms, at once, for the same recordings are one."""

from typing import Any

from django.db import migrations, models

import lib.ids

TERMS = (
    "organisation_id",
    "licensor_id",
    "licensee_id",
    "purposes",
    "commercial",
    "territory",
    "valid_from",
    "valid_until",
    "model_scope",
    "conditions",
    "document",
    "document_sha256",
    "registered_by_id",
    "registered_at",
)


def join(apps: Any, schema_editor: Any) -> None:
    grants = apps.get_model("provenance", "Grant")
    links = apps.get_model("provenance", "GrantRecording")
    deals: dict[str, Any] = {}
    for grant in grants.objects.filter(deal=None).order_by("id").iterator():
        recordings = sorted(links.objects.filter(grant=grant).values_list("recording_id", flat=True))
        terms = repr([*(getattr(grant, name) for name in TERMS), recordings])
        taken = deals.setdefault(terms, {})
        if not taken or grant.right in taken["rights"]:
            taken = deals[terms] = {"deal": lib.ids.new_public_id(), "rights": set()}
        taken["rights"].add(grant.right)
        grants.objects.filter(pk=grant.pk).update(deal=taken["deal"])


class Migration(migrations.Migration):
    dependencies = [("provenance", "0004_keep_claims_reservations_and_terms")]
    operations = [
        migrations.AddField("grant", "deal", models.UUIDField(null=True, editable=False)),
        migrations.RunPython(join, migrations.RunPython.noop, elidable=False),
        # The rows changed above have their constraint checks done before the table is altered again.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            "grant",
            "deal",
            models.UUIDField(default=lib.ids.new_public_id, editable=False, db_index=True),
        ),
        migrations.AddConstraint(
            "grant",
            models.UniqueConstraint(fields=["deal", "right"], name="grant_once_a_right_of_a_deal"),
        ),
    ]

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("provenance", "0012_keep_why_memos_end"),
    ]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="reinstatement_reason",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="grant",
            name="reinstatement_salt",
            field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="grant",
            name="reinstates",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reinstated_by",
                to="provenance.grant",
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=Q(reinstates=None, reinstatement_reason="")
                | (Q(reinstates__isnull=False, valid_from__isnull=False) & ~Q(reinstatement_reason="")),
                name="grant_reinstated_from_a_day_for_a_reason",
            ),
        ),
    ]

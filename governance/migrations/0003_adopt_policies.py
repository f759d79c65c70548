import django.db.models.deletion
from django.db import migrations, models

import lib.ids

KEEP = """
CREATE TRIGGER policy_kept BEFORE UPDATE OR DELETE ON governance_policy
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER adoption_kept BEFORE UPDATE OR DELETE ON governance_policyadoption
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
"""
REVERSE = """
DROP TRIGGER adoption_kept ON governance_policyadoption;
DROP TRIGGER policy_kept ON governance_policy;
"""


class Migration(migrations.Migration):
    dependencies = [("governance", "0002_make_ledger_append_only")]

    operations = [
        migrations.AlterField(
            model_name="review",
            name="question",
            field=models.CharField(
                choices=[
                    ("dataset.approval", "May this dataset be used?"),
                    ("model.release", "May this model be released?"),
                    ("generation.release", "May this output be released?"),
                    ("policy.adoption", "May this policy come into force?"),
                ],
                max_length=40,
            ),
        ),
        migrations.CreateModel(
            name='PolicyAdoption',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(default=lib.ids.new_public_id, editable=False, unique=True),
                ),
                ("in_force_from", models.DateTimeField()),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adoptions",
                        to="governance.organisation",
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adoptions",
                        to="governance.policy",
                    ),
                ),
                (
                    "review",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adoption",
                        to="governance.review",
                    ),
                ),
            ],
            options={
                'ordering': ["-in_force_from", "-id"],
                'constraints': [
                    models.UniqueConstraint(
                        fields=("organisation", "in_force_from"), name="adoption_once_an_instant"
                    ),
                ],
            },
        ),
        migrations.RunSQL(KEEP, REVERSE),
    ]

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

NOT_ASKED = "No reason was asked for when it was withdrawn."


def say_that_none_was_asked(apps, schema_editor):
    memos = apps.get_model("provenance", "ExceptionMemo").objects.exclude(withdrawn_at=None)
    memos.update(withdrawal_reason=NOT_ASKED)


class Migration(migrations.Migration):
    dependencies = [
        ("provenance", "0011_index_lists"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="exceptionmemo",
            name="withdrawal_reason",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="exceptionmemo",
            name="withdrawn_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(say_that_none_was_asked, migrations.RunPython.noop),
        # what was just written must be settled before the table is altered again
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="exceptionmemo",
            constraint=models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None, withdrawal_reason="")
                | (Q(withdrawn_at__isnull=False) & ~Q(withdrawal_reason="")),
                name="memo_withdrawn_for_a_reason",
            ),
        ),
    ]

import django.contrib.postgres.fields
import django.db.models.deletion
import lib.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0003_adopt_policies"),
        ("provenance", "0008_settle_conflicts_in_favour_of_a_side"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ClearanceRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("answer", models.CharField(max_length=20)),
                ("master", models.CharField(max_length=20)),
                ("composition", models.CharField(max_length=20)),
                ("master_basis", models.CharField(blank=True, max_length=20)),
                ("composition_basis", models.CharField(blank=True, max_length=20)),
                (
                    "licences",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=500), default=list, size=None
                    ),
                ),
                (
                    "holders",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=500), default=list, size=None
                    ),
                ),
                ("weak", models.BooleanField(default=False)),
                ("contested", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="ClearanceRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=lib.ids.new_public_id, editable=False, unique=True)),
                ("question", models.CharField(max_length=64)),
                ("stamp", models.BigIntegerField()),
                ("readings", models.CharField(max_length=64)),
                ("asked_at", models.DateTimeField()),
                ("holds_until", models.DateTimeField(null=True)),
                ("computed_at", models.DateTimeField()),
                ("n_recordings", models.PositiveIntegerField()),
                ("counts", models.JSONField(default=dict)),
                ("seconds", models.JSONField(default=dict)),
                ("conditions", models.JSONField(default=dict)),
                ("licences", models.JSONField(default=list)),
                ("holders", models.JSONField(default=list)),
                ("bases", models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name="EvidenceSubject",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("licence", models.CharField(blank=True, max_length=200)),
                ("linked_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Omission",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("left_out_at", models.DateTimeField()),
                ("reason", models.TextField()),
                ("salt", models.CharField(blank=True, max_length=64)),
                ("taken_back_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="datasetentry",
            index=models.Index(fields=["dataset", "title", "id"], name="provenance__dataset_b88832_idx"),
        ),
        migrations.AddIndex(
            model_name="datasetentry",
            index=models.Index(fields=["dataset", "artist", "id"], name="provenance__dataset_762c74_idx"),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=models.Index(fields=["organisation", "title", "id"], name="provenance__organis_f33f9b_idx"),
        ),
        migrations.AddField(
            model_name="clearancerow",
            name="entry",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clearance_rows",
                to="provenance.datasetentry",
            ),
        ),
        migrations.AddField(
            model_name="clearancerun",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clearance_runs",
                to="provenance.dataset",
            ),
        ),
        migrations.AddField(
            model_name="clearancerun",
            name="version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clearance_runs",
                to="provenance.datasetversion",
            ),
        ),
        migrations.AddField(
            model_name="clearancerow",
            name="run",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="provenance.clearancerun"
            ),
        ),
        migrations.AddField(
            model_name="evidencesubject",
            name="dataset",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="evidence_links",
                to="provenance.dataset",
            ),
        ),
        migrations.AddField(
            model_name="evidencesubject",
            name="document",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subjects",
                to="provenance.evidencedocument",
            ),
        ),
        migrations.AddField(
            model_name="evidencesubject",
            name="linked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="evidencesubject",
            name="recording",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="evidence_links",
                to="provenance.recording",
            ),
        ),
        migrations.AddField(
            model_name="omission",
            name="entry",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="omissions",
                to="provenance.datasetentry",
            ),
        ),
        migrations.AddField(
            model_name="omission",
            name="left_out_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="omission",
            name="taken_back_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="clearancerun",
            constraint=models.UniqueConstraint(
                fields=("dataset", "question"), name="clearance_run_once_a_question"
            ),
        ),
        migrations.AddConstraint(
            model_name="clearancerow",
            constraint=models.UniqueConstraint(fields=("run", "entry"), name="clearance_row_once"),
        ),
        migrations.AddIndex(
            model_name="evidencesubject",
            index=models.Index(fields=["licence"], name="provenance__licence_c2d308_idx"),
        ),
        migrations.AddConstraint(
            model_name="evidencesubject",
            constraint=models.UniqueConstraint(
                fields=("document", "licence", "recording", "dataset"),
                name="evidence_subject_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="evidencesubject",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("dataset", None), ("recording", None), models.Q(("licence", ""), _negated=True)
                    ),
                    models.Q(("dataset", None), ("licence", ""), ("recording__isnull", False)),
                    models.Q(("dataset__isnull", False), ("licence", ""), ("recording", None)),
                    _connector="OR",
                ),
                name="evidence_subject_is_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="omission",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)), fields=("entry",), name="entry_left_out_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="omission",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="omission_for_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="omission",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("taken_back_at", None), ("taken_back_by", None)),
                    models.Q(
                        ("taken_back_at__gte", models.F("left_out_at")), ("taken_back_by__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="omission_taken_back_by_someone",
            ),
        ),
    ]

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
            name='ClearanceRun',
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
                ('dataset', models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clearance_runs",
                to="provenance.dataset",
            )),
                ('version', models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clearance_runs",
                to="provenance.datasetversion",
            )),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(
                fields=("dataset", "question"), name="clearance_run_once_a_question"
            ),
                ],
            },
        ),
        migrations.CreateModel(
            name='ClearanceRow',
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
                ('entry', models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clearance_rows",
                to="provenance.datasetentry",
            )),
                ('run', models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="provenance.clearancerun"
            )),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(fields=("run", "entry"), name="clearance_row_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name='EvidenceSubject',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("licence", models.CharField(blank=True, max_length=200)),
                ("linked_at", models.DateTimeField()),
                ('dataset', models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="evidence_links",
                to="provenance.dataset",
            )),
                ('document', models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subjects",
                to="provenance.evidencedocument",
            )),
                ('linked_by', models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            )),
                ('recording', models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="evidence_links",
                to="provenance.recording",
            )),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(
                fields=("document", "licence", "recording", "dataset"),
                name="evidence_subject_once",
                nulls_distinct=False,
            ),
                    models.CheckConstraint(
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
                ],
                'indexes': [
                    models.Index(fields=["licence"], name="provenance__licence_c2d308_idx"),
                ],
            },
        ),
        migrations.CreateModel(
            name='Omission',
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
                ('entry', models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="omissions",
                to="provenance.datasetentry",
            )),
                ('left_out_by', models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            )),
                ('taken_back_by', models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            )),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)), fields=("entry",), name="entry_left_out_once"
            ),
                    models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="omission_for_a_reason"
            ),
                    models.CheckConstraint(
                condition=models.Q(
                    models.Q(("taken_back_at", None), ("taken_back_by", None)),
                    models.Q(
                        ("taken_back_at__gte", models.F("left_out_at")), ("taken_back_by__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="omission_taken_back_by_someone",
            ),
                ],
            },
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
    ]

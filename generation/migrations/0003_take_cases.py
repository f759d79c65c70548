import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import lib.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0002_publish_model_cards"),
        ("governance", "0003_adopt_policies"),
        ("provenance", "0006_match_catalogues"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Case',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=lib.ids.new_public_id, editable=False, unique=True)),
                ("reference", models.CharField(max_length=20, unique=True)),
                ("secret_sha256", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("revoke", "Revoke a grant"),
                            ("opt_out", "Opt out of training"),
                            ("inquiry", "Ask whether recordings are in a model"),
                            ("leak", "Report an output that copies a recording"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("public", "Public form"),
                            ("label", "A label, signed in"),
                            ("behalf", "Taken down by a member"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("filed", "Received"),
                            ("open", "Being decided"),
                            ("answered", "Answered"),
                            ("rejected", "Rejected"),
                        ],
                        default="filed",
                        max_length=20,
                    ),
                ),
                ("holder", models.CharField(max_length=300)),
                ("contact", models.CharField(blank=True, max_length=300)),
                ("holds", models.TextField(blank=True)),
                ("words", models.TextField(blank=True)),
                (
                    "isrcs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=30), default=list, size=None
                    ),
                ),
                (
                    "titles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=500), default=list, size=None
                    ),
                ),
                (
                    "urls",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=2000), default=list, size=None
                    ),
                ),
                ("sound", models.CharField(blank=True, max_length=300)),
                ("sound_name", models.CharField(blank=True, max_length=300)),
                ("fingerprint", models.BinaryField(null=True)),
                ("heard", models.JSONField(default=list)),
                ("heard_problem", models.CharField(blank=True, max_length=500)),
                ("salt", models.CharField(max_length=64)),
                ("filed_at", models.DateTimeField()),
                ("due_on", models.DateField()),
                ("verified_how", models.TextField(blank=True)),
                ("verified_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closing_words", models.TextField(blank=True)),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "filed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="provenance.grant",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="governance.organisation",
                    ),
                ),
                (
                    "output",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="generation.generation",
                    ),
                ),
                (
                    "verified_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'ordering': ["due_on", "id"],
                'constraints': [
                    models.CheckConstraint(
                condition=models.Q(("kind__in", ["revoke", "opt_out", "inquiry", "leak"])),
                name="case_kind_known",
            ),
                    models.CheckConstraint(
                condition=models.Q(("channel__in", ["public", "label", "behalf"])), name="case_channel_known"
            ),
                    models.CheckConstraint(
                condition=models.Q(("holder", ""), _negated=True), name="case_of_somebody"
            ),
                    models.CheckConstraint(
                condition=models.Q(
                    models.Q(("channel", "public"), ("filed_by", None)),
                    models.Q(models.Q(("channel", "public"), _negated=True), ("filed_by__isnull", False)),
                    _connector="OR",
                ),
                name="case_filed_by_a_member_or_a_stranger",
            ),
                    models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["filed", "rejected"]),
                    models.Q(
                        ("verified_at__isnull", False),
                        ("verified_by__isnull", False),
                        models.Q(("verified_how", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="case_open_once_the_holder_is_known",
            ),
                    models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at", None), ("closed_by", None), ("state__in", ["filed", "open"])),
                    models.Q(
                        ("closed_at__isnull", False),
                        ("closed_by__isnull", False),
                        ("state__in", ["answered", "rejected"]),
                        models.Q(("closing_words", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="case_closed_by_someone_in_words",
            ),
                ],
                'indexes': [
                    models.Index(
                fields=["organisation", "state", "due_on"], name="generation__organis_1b4a9e_idx"
            ),
                ],
            },
        ),
        migrations.CreateModel(
            name='CaseAnswer',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=lib.ids.new_public_id, editable=False, unique=True)),
                ("number", models.PositiveSmallIntegerField()),
                ("payload", models.JSONField()),
                ("sha256", models.CharField(max_length=64)),
                ("key_id", models.CharField(max_length=64)),
                ("public_key", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=128)),
                ("issued_at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="generation.case",
                    ),
                ),
                (
                    "issued_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'ordering': ["case_id", "-number"],
                'constraints': [
                    models.UniqueConstraint(fields=("case", "number"), name="case_answer_once_a_number"),
                    models.CheckConstraint(
                condition=models.Q(("number__gt", 0)), name="case_answer_counts_from_one"
            ),
                ],
            },
        ),
        migrations.CreateModel(
            name='CaseDecision',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=lib.ids.new_public_id, editable=False, unique=True)),
                (
                    "remedy",
                    models.CharField(
                        choices=[
                            ("retrain", "Retrain without the recordings"),
                            ("block", "Block at output"),
                            ("negotiate", "Negotiate"),
                            ("reject", "Reject"),
                        ],
                        max_length=20,
                    ),
                ),
                ("until", models.DateField(blank=True, null=True)),
                ("reason", models.TextField()),
                ("reasons_known", models.JSONField(default=list)),
                ("salt", models.CharField(max_length=64)),
                ("decided_at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="generation.case",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "model_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="case_decisions",
                        to="generation.modelversion",
                    ),
                ),
            ],
            options={
                'ordering': ["case_id", "id"],
                'constraints': [
                    models.CheckConstraint(
                condition=models.Q(("remedy__in", ["retrain", "block", "negotiate", "reject"])),
                name="case_remedy_known",
            ),
                    models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="case_decided_for_a_reason"
            ),
                    models.CheckConstraint(
                condition=models.Q(
                    models.Q(("remedy", "negotiate"), ("until__isnull", False)),
                    models.Q(models.Q(("remedy", "negotiate"), _negated=True), ("until", None)),
                    _connector="OR",
                ),
                name="case_negotiated_until_a_day",
            ),
                ],
            },
        ),
        migrations.CreateModel(
            name='CaseRecording',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("because", models.CharField(max_length=300)),
                ("linked_at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subjects",
                        to="generation.case",
                    ),
                ),
                (
                    "linked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "recording",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="case_links",
                        to="provenance.recording",
                    ),
                ),
            ],
            options={
                'ordering': ["case_id", "id"],
                'constraints': [
                    models.UniqueConstraint(
                fields=("case", "recording"), name="case_names_recording_once"
            ),
                ],
            },
        ),
        migrations.CreateModel(
            name='CaseTerms',
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "revoke_days",
                    models.PositiveSmallIntegerField(
                        default=14,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                    ),
                ),
                (
                    "opt_out_days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                    ),
                ),
                (
                    "inquiry_days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                    ),
                ),
                (
                    "leak_days",
                    models.PositiveSmallIntegerField(
                        default=14,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                    ),
                ),
                ("public_form", models.BooleanField(default=True)),
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="case_terms",
                        to="governance.organisation",
                    ),
                ),
            ],
            options={
                'verbose_name_plural': "case terms",
                'constraints': [
                    models.CheckConstraint(
                condition=models.Q(
                    ("revoke_days__range", (1, 365)),
                    ("opt_out_days__range", (1, 365)),
                    ("inquiry_days__range", (1, 365)),
                    ("leak_days__range", (1, 365)),
                ),
                name="case_terms_within_a_year",
            ),
                ],
            },
        ),
    ]

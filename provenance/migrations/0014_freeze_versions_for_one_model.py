from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("provenance", "0013_give_revoked_grants_again"),
    ]

    operations = [
        migrations.AddField(
            model_name="datasetversion",
            name="model",
            field=models.CharField(blank=True, default="", max_length=200),
            preserve_default=False,
        ),
    ]

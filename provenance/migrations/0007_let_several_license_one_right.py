from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("provenance", "0006_match_catalogues")]
    operations = [
        migrations.RemoveConstraint(model_name="grant", name="grant_once_a_right_of_a_deal"),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.UniqueConstraint(
                fields=("deal", "right", "licensor"), name="grant_once_a_licensor_of_a_deal"
            ),
        ),
    ]

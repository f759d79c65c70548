from django.db import migrations, models


def name_what_was_found(apps, schema_editor):
    """Checks of before name the kinds that they have matches of; those without any were asked for recordings."""
    check_model = apps.get_model("generation", "Check")
    heard = check_model.objects.filter(seconds__isnull=False)
    heard.filter(matches__isnull=True).update(kinds=["recording"])
    for check in heard.filter(matches__isnull=False).distinct().iterator():
        found = set(check.matches.values_list("kind", flat=True))
        check.kinds = [kind for kind in ("recording", "composition", "style") if kind in found]
        check.save(update_fields=["kinds"])


class Migration(migrations.Migration):
    dependencies = [("generation", "0006_keep_what_people_say_of_matches")]

    operations = [
        migrations.AddField(
            model_name="check", name="kinds", field=models.JSONField(default=list)
        ),
        migrations.RunPython(name_what_was_found, migrations.RunPython.noop),
    ]

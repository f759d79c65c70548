from django.db import migrations, models


def name_what_was_found(apps, schema_editor):
    """Checks of before looked for recordings wherever they heard anything, and for the kinds they have matches of."""
    check_model = apps.get_model("generation", "Check")
    check_model.objects.filter(seconds__isnull=False).update(kinds=["recording"])
    others = ["composition", "style"]
    for check in check_model.objects.filter(matches__kind__in=others).distinct().iterator():
        found = set(check.matches.values_list("kind", flat=True))
        check.kinds = ["recording", *(kind for kind in others if kind in found)]
        check.save(update_fields=["kinds"])


class Migration(migrations.Migration):
    dependencies = [("generation", "0006_keep_what_people_say_of_matches")]

    operations = [
        migrations.AddField(
            model_name="check", name="kinds", field=models.JSONField(default=list)
        ),
        migrations.RunPython(name_what_was_found, migrations.RunPython.noop),
    ]

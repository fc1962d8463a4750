"""In which time zone times are shown: a person's own choice, else the tenant's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_replaced_keys")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="time_zone",
            field=models.CharField(
                default="UTC",
                help_text="In which times are shown to its people, e.g. Europe/Berlin. Periods are always UTC.",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(
                blank=True,
                help_text="In which times are shown, e.g. Europe/Berlin; empty = the organisation's.",
                max_length=64,
            ),
        ),
    ]

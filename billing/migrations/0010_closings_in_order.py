"""Lets closings be taken in their order without sorting all that are due."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_below_cost")]

    operations = [
        migrations.AlterField("closing", "due_at", models.DateTimeField()),
        migrations.AddIndex("closing", models.Index(fields=["due_at", "tenant"], name="closings_in_order")),
    ]

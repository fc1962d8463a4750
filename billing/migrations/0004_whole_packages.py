"""Prices for whole packages: a begun one costs as much as a whole one."""

from django.db import migrations, models

FIELD = {
    "db_default": False,
    "default": False,
    "help_text": "A begun package of so many units costs as much as a whole one.",
    "verbose_name": "whole packages",
}


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_cost_bills")]

    operations = [
        migrations.AddField(model, "rounds_up", models.BooleanField(**FIELD))
        for model in ("pricetier", "historicalpricetier")
    ]

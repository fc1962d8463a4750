"""Finds those of many tenants that cost more than they bring in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_spend_caps")]

    operations = [
        migrations.AddIndex(
            "costshare",
            models.Index(
                condition=models.Q(("margin__lt", 0)),
                fields=["allocation", "tenant"],
                name="shares_below_cost",
            ),
        ),
    ]

"""Alerts tell of spend caps: what a whole tenant spends, of no metric."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_spend_caps"), ("usage", "0013_cap_stamps")]

    operations = [
        migrations.AlterField(
            model_name="alert",
            name="metric",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.metric",
            ),
        ),
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("threshold", "Threshold"),
                    ("refused", "First refusal"),
                    ("billed", "Billing begins"),
                    ("cap", "Spend cap"),
                ],
                default="threshold",
                max_length=9,
            ),
        ),
    ]

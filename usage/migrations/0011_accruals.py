"""How far levels stood above what was included so far."""

import django.db.models.deletion
from django.db import migrations, models


def loose(to):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=to,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_whole_packages"),
        ("tenants", "0001_tenants"),
        ("usage", "0010_heartbeats"),
    ]

    operations = [
        migrations.CreateModel(
            name="LevelAccrual",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "metric_id",
                        "period",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant", loose("tenants.tenant")),
                ("metric", loose("billing.metric")),
                ("period", models.DateField()),
                ("through", models.DateTimeField()),
                ("steps", models.TextField()),
                ("excess", models.DecimalField(decimal_places=0, max_digits=40)),
            ],
        ),
    ]

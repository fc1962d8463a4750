"""What is still expected of each period, and what follows for where tenants stand."""

import django.contrib.postgres.fields
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
        ("billing", "0008_spend_caps"),
        ("tenants", "0007_audit_of_operations"),
        ("usage", "0014_cap_alerts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Expectation",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "metric_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant", loose("tenants.tenant")),
                ("metric", loose("billing.metric")),
                ("period", models.DateField()),
                ("made_on", models.DateField()),
                ("rest", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField())),
            ],
        ),
        migrations.AddField("standing", "forecast", models.PositiveSmallIntegerField(null=True)),
        migrations.AddField("standing", "runs_out", models.DateField(null=True)),
        migrations.AddField(
            "standing",
            "runs_out_of",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="billing.metric",
            ),
        ),
        migrations.AddField("standing", "expected_on", models.DateField(null=True)),
        migrations.AddIndex(
            "standing",
            models.Index(
                condition=models.Q(("runs_out__isnull", False)),
                fields=["-risk", "tenant"],
                name="standing_running_out",
            ),
        ),
        migrations.AddIndex(
            "standing", models.Index(fields=["expected_on", "tenant"], name="standing_to_expect")
        ),
    ]

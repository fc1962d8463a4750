"""Spend caps of owners and of operations, and who changed them."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

SIDES = [("owner", "Owner"), ("operations", "Operations")]
MODES = [("notify", "Notify at"), ("stop", "Stop at")]
KINDS = [
    ("limits", "Limits changed"),
    ("plan", "Plan changed"),
    ("scheduled", "Change of plan scheduled"),
    ("cancelled", "Plan cancelled"),
    ("withdrawn", "Scheduled change withdrawn"),
    ("cap", "Spend cap changed"),
]


def amount():
    not_negative = django.core.validators.MinValueValidator(Decimal(0))
    return models.DecimalField(decimal_places=2, max_digits=12, validators=[not_negative])


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_allocations"),
        ("tenants", "0002_search"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="entitlementchange",
            name="kind",
            field=models.CharField(choices=KINDS, default="limits", max_length=9),
        ),
        migrations.CreateModel(
            name="SpendCap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("side", models.CharField(choices=SIDES, max_length=10)),
                ("mode", models.CharField(choices=MODES, max_length=6)),
                ("amount", amount()),
                ("since", models.DateTimeField(editable=False)),
                (
                    "author",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="spend_caps",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["tenant", "side"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "side"), name="one_spend_cap_a_side"),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)), name="spend_cap_is_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalSpendCap",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                ("side", models.CharField(choices=SIDES, max_length=10)),
                ("mode", models.CharField(choices=MODES, max_length=6)),
                ("amount", amount()),
                ("since", models.DateTimeField(editable=False)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical spend cap",
                "verbose_name_plural": "historical spend caps",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]

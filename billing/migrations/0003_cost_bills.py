"""Bills of providers, their rows, and files that wait for a yes."""

import uuid
from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_plans"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CostBill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=60)),
                ("month", models.DateField(help_text="Its first day.")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("is_current", models.BooleanField(default=False, editable=False)),
                ("currency", models.CharField(editable=False, max_length=3)),
                (
                    "source",
                    models.CharField(
                        editable=False, help_text="The file's name, or “typed in”.", max_length=200
                    ),
                ),
                ("sha256", models.CharField(blank=True, editable=False, max_length=64)),
                ("rows", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "total",
                    models.DecimalField(
                        decimal_places=12, default=Decimal("0"), editable=False, max_digits=30
                    ),
                ),
                ("imported_at", models.DateTimeField(editable=False)),
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
            ],
            options={
                "ordering": ["-month", "provider", "-version"],
            },
        ),
        migrations.CreateModel(
            name="CostRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("line", models.PositiveIntegerField(default=0, editable=False)),
                ("service", models.CharField(max_length=200)),
                ("category", models.CharField(blank=True, default="Usage", max_length=60)),
                ("sub_account", models.CharField(blank=True, max_length=120)),
                ("tags", models.JSONField(blank=True, default=dict, editable=False)),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=12,
                        max_digits=30,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("-1000000000000000")),
                            django.core.validators.MaxValueValidator(Decimal("1000000000000000")),
                        ],
                    ),
                ),
                ("starts", models.DateTimeField(editable=False)),
                ("ends", models.DateTimeField(editable=False, null=True)),
                (
                    "bill",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="charges",
                        to="billing.costbill",
                    ),
                ),
            ],
            options={
                "ordering": ["bill", "line"],
            },
        ),
        migrations.CreateModel(
            name="PendingImport",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=200)),
                ("provider", models.CharField(blank=True, max_length=60)),
                ("sha256", models.CharField(max_length=64)),
                ("summary", models.JSONField()),
                ("made_at", models.DateTimeField(db_index=True)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PendingPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("data", models.BinaryField()),
                (
                    "pending",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="billing.pendingimport",
                    ),
                ),
            ],
            options={
                "ordering": ["pending", "number"],
            },
        ),
        migrations.AddIndex(
            model_name="costbill",
            index=models.Index(
                condition=models.Q(("sha256", ""), _negated=True), fields=["sha256"], name="bills_by_content"
            ),
        ),
        migrations.AddConstraint(
            model_name="costbill",
            constraint=models.UniqueConstraint(
                fields=("provider", "month", "version"), name="one_bill_per_version"
            ),
        ),
        migrations.AddConstraint(
            model_name="costbill",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_current", True)),
                fields=("provider", "month"),
                name="one_current_bill_per_month",
            ),
        ),
        migrations.AddConstraint(
            model_name="costbill",
            constraint=models.CheckConstraint(
                condition=models.Q(("month__day", 1)), name="bill_month_is_a_first"
            ),
        ),
        migrations.AddIndex(
            model_name="costrow",
            index=models.Index(fields=["bill", "service"], name="rows_by_service"),
        ),
        migrations.AddConstraint(
            model_name="pendingpart",
            constraint=models.UniqueConstraint(fields=("pending", "number"), name="one_part_per_number"),
        ),
    ]

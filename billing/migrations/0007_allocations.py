"""How bills are divided among tenants: rules, aliases, and allocations in versions."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_who_changes_plans"),
        ("tenants", "0002_search"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Allocation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                ("version", models.PositiveIntegerField(default=1)),
                ("made_at", models.DateTimeField()),
                ("is_final", models.BooleanField(default=False)),
                ("note", models.CharField(blank=True, max_length=250)),
                ("bills", models.JSONField(default=list)),
                ("rules", models.JSONField(default=list)),
                ("bill", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("to_tenants", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("shared", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("unallocated", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("revenue", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("moved", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-month", "-version"],
                "constraints": [
                    models.UniqueConstraint(fields=("month", "version"), name="one_allocation_per_version"),
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="allocation_month_is_a_first"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CostLine",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "allocation_id",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("provider", models.CharField(max_length=60)),
                ("service", models.CharField(max_length=200)),
                ("rule", models.CharField(blank=True, max_length=60)),
                ("driver", models.CharField(max_length=160)),
                ("is_shared", models.BooleanField(default=False)),
                ("strangers", models.JSONField(default=list)),
                ("to_tenants", models.DecimalField(decimal_places=2, max_digits=18)),
                ("shared", models.DecimalField(decimal_places=2, max_digits=18)),
                ("unallocated", models.DecimalField(decimal_places=2, max_digits=18)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=18)),
                (
                    "allocation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="costs",
                        to="billing.allocation",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="CostRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "position",
                    models.PositiveIntegerField(default=0, help_text="The first rule that matches counts."),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "service",
                    models.CharField(
                        default="*", help_text="“Amazon S3”, “Amazon *”, “*” = any.", max_length=200
                    ),
                ),
                ("provider", models.CharField(blank=True, help_text="Empty = any.", max_length=60)),
                ("sub_account", models.CharField(blank=True, help_text="Empty = any.", max_length=120)),
                (
                    "category",
                    models.CharField(
                        blank=True, help_text="“Usage”, “Tax”, “Credit”; empty = any.", max_length=60
                    ),
                ),
                (
                    "tag_key",
                    models.CharField(
                        blank=True, help_text="Empty = any.", max_length=128, verbose_name="tag"
                    ),
                ),
                (
                    "tag_value",
                    models.CharField(
                        blank=True,
                        help_text="Empty = whatever the tag says.",
                        max_length=256,
                        verbose_name="its value",
                    ),
                ),
                (
                    "driver",
                    models.CharField(
                        choices=[
                            ("metric", "By use of a metric"),
                            ("even", "Evenly among active tenants"),
                            ("weights", "By fixed weights"),
                            ("tag", "Direct: the tag names the tenant"),
                            ("account", "Direct: the sub-account names the tenant"),
                            ("shared", "Shared"),
                        ],
                        max_length=8,
                        verbose_name="split",
                    ),
                ),
                (
                    "sharing",
                    models.CharField(
                        choices=[
                            ("apart", "Kept apart, as a row of its own"),
                            ("proportional", "In proportion to each tenant's other cost"),
                            ("even", "Evenly among active tenants"),
                        ],
                        default="apart",
                        help_text="Of “shared”.",
                        max_length=12,
                    ),
                ),
                (
                    "metric",
                    models.ForeignKey(
                        blank=True,
                        help_text="Of “by use”.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.metric",
                    ),
                ),
            ],
            options={
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="CostShare",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("tenant", "Tenant"),
                            ("shared", "Shared, not split"),
                            ("none", "Unallocated"),
                        ],
                        default="tenant",
                        max_length=6,
                    ),
                ),
                ("revenue", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("cost", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("margin", models.DecimalField(decimal_places=2, default=Decimal("0"), max_digits=18)),
                ("lines", models.JSONField(default=dict)),
                (
                    "allocation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="shares",
                        to="billing.allocation",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CostWeight",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "weight",
                    models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)]),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="weights",
                        to="billing.costrule",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HistoricalCostAlias",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                ("value", models.CharField(max_length=256)),
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
                "verbose_name": "historical cost alias",
                "verbose_name_plural": "historical cost aliases",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCostRule",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                (
                    "position",
                    models.PositiveIntegerField(default=0, help_text="The first rule that matches counts."),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "service",
                    models.CharField(
                        default="*", help_text="“Amazon S3”, “Amazon *”, “*” = any.", max_length=200
                    ),
                ),
                ("provider", models.CharField(blank=True, help_text="Empty = any.", max_length=60)),
                ("sub_account", models.CharField(blank=True, help_text="Empty = any.", max_length=120)),
                (
                    "category",
                    models.CharField(
                        blank=True, help_text="“Usage”, “Tax”, “Credit”; empty = any.", max_length=60
                    ),
                ),
                (
                    "tag_key",
                    models.CharField(
                        blank=True, help_text="Empty = any.", max_length=128, verbose_name="tag"
                    ),
                ),
                (
                    "tag_value",
                    models.CharField(
                        blank=True,
                        help_text="Empty = whatever the tag says.",
                        max_length=256,
                        verbose_name="its value",
                    ),
                ),
                (
                    "driver",
                    models.CharField(
                        choices=[
                            ("metric", "By use of a metric"),
                            ("even", "Evenly among active tenants"),
                            ("weights", "By fixed weights"),
                            ("tag", "Direct: the tag names the tenant"),
                            ("account", "Direct: the sub-account names the tenant"),
                            ("shared", "Shared"),
                        ],
                        max_length=8,
                        verbose_name="split",
                    ),
                ),
                (
                    "sharing",
                    models.CharField(
                        choices=[
                            ("apart", "Kept apart, as a row of its own"),
                            ("proportional", "In proportion to each tenant's other cost"),
                            ("even", "Evenly among active tenants"),
                        ],
                        default="apart",
                        help_text="Of “shared”.",
                        max_length=12,
                    ),
                ),
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
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "metric",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Of “by use”.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="billing.metric",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical cost rule",
                "verbose_name_plural": "historical cost rules",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCostWeight",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                (
                    "weight",
                    models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)]),
                ),
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
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="billing.costrule",
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
                "verbose_name": "historical cost weight",
                "verbose_name_plural": "historical cost weights",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="CostAlias",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("value", models.CharField(max_length=256)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cost_aliases",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "cost aliases",
                "ordering": ["value"],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("value"),
                        name="one_tenant_per_alias",
                        violation_error_message="This name stands for a tenant already: change that alias.",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="costrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("driver", "metric"), ("metric__isnull", False)),
                    models.Q(models.Q(("driver", "metric"), _negated=True), ("metric", None)),
                    _connector="OR",
                ),
                name="a_metric_where_one_drives",
            ),
        ),
        migrations.AddConstraint(
            model_name="costrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("driver", "tag"), ("tag_key", ""), _negated=True),
                name="a_tag_where_one_names_tenants",
            ),
        ),
        migrations.AddConstraint(
            model_name="costshare",
            constraint=models.UniqueConstraint(
                fields=("allocation", "kind", "tenant"), name="one_share_per_tenant", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="costshare",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "tenant"), ("tenant__isnull", False)),
                    models.Q(models.Q(("kind", "tenant"), _negated=True), ("tenant", None)),
                    _connector="OR",
                ),
                name="shares_of_tenants_name_them",
            ),
        ),
        migrations.AddConstraint(
            model_name="costweight",
            constraint=models.UniqueConstraint(fields=("rule", "tenant"), name="one_weight_per_tenant"),
        ),
    ]

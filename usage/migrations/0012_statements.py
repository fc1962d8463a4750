"""Deliveries tell of statements; hours that came late leave a mark, so that their period is priced again."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_statements"),
        ("tenants", "0002_search"),
        ("usage", "0011_accruals"),
    ]

    operations = [
        migrations.CreateModel(
            name="LateUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("period", models.DateField()),
                ("at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AlterField(
            model_name="delivery",
            name="kind",
            field=models.CharField(
                choices=[
                    ("alert", "Alert"),
                    ("test", "Test"),
                    ("disabled", "Channel disabled"),
                    ("statement", "Statement"),
                ],
                default="alert",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="statement",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="billing.statement",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("statement__isnull", False)),
                fields=("statement", "channel", "target", "endpoint"),
                name="one_delivery_of_a_statement_per_receiver",
                nulls_distinct=False,
            ),
        ),
    ]

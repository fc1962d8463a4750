"""Statements, which the database refuses to change or delete, and what is to be issued next."""

import django.db.models.deletion
from django.db import migrations, models

# TRUNCATE stays possible: it empties whole databases, those of tests.
STAYS = """
CREATE FUNCTION billing_statement_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Statement % was issued: it is never changed or deleted. What differs is an adjustment.', OLD.number
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER statement_stays BEFORE UPDATE OR DELETE ON billing_statement
    FOR EACH ROW EXECUTE FUNCTION billing_statement_stays();
"""
MAY_GO = """
DROP TRIGGER statement_stays ON billing_statement;
DROP FUNCTION billing_statement_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_whole_packages"), ("tenants", "0002_search")]

    operations = [
        migrations.CreateModel(
            name="Closing",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="closing",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                ("period", models.DateField()),
                ("due_at", models.DateTimeField(db_index=True)),
                ("last", models.DateField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="StatementMonth",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False)),
                ("last", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=32, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("statement", "Statement"), ("adjustment", "Adjustment")],
                        default="statement",
                        max_length=10,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "of",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="billing.statement",
                    ),
                ),
                ("period", models.DateField()),
                ("until", models.DateField()),
                ("issued_at", models.DateTimeField()),
                ("currency", models.CharField(max_length=3)),
                ("base_fee", models.DecimalField(decimal_places=2, max_digits=18)),
                ("overage", models.DecimalField(decimal_places=2, max_digits=18)),
                ("total", models.DecimalField(decimal_places=2, max_digits=18)),
                ("document", models.JSONField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-period", "-id"], name="statements_newest_first")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "statement")),
                        fields=("tenant", "period"),
                        name="one_statement_per_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "statement"), ("of", None)),
                            models.Q(("kind", "adjustment"), ("of__isnull", False)),
                            _connector="OR",
                        ),
                        name="adjustments_name_their_statement",
                    ),
                ],
            },
        ),
        migrations.RunSQL(STAYS, MAY_GO),
    ]

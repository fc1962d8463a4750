"""Slack channels and webhooks, who gets mail, what is not told; deliveries know theirs."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_search"),
        ("usage", "0007_days"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertChoice",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="alert_choice",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                ("tells_refusals", models.BooleanField(default=True, verbose_name="first refusal")),
                ("tells_billing", models.BooleanField(default=True, verbose_name="billing begins")),
                (
                    "paused_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Until then nobody is told of this tenant's alerts; what is crossed meanwhile is only listed.",
                        null=True,
                    ),
                ),
                ("pause_reason", models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("slack", "Slack"), ("webhook", "Webhook")], max_length=7),
                ),
                (
                    "label",
                    models.CharField(help_text="What logs call it: a name, or its host.", max_length=80),
                ),
                ("sealed_url", models.TextField(blank=True)),
                ("sealed_secret", models.TextField(blank=True)),
                ("sealed_old_secret", models.TextField(blank=True)),
                ("old_secret_until", models.DateTimeField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("working", "Working"), ("failing", "Failing"), ("disabled", "Disabled")],
                        default="working",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("is_slow", models.BooleanField(default=False)),
                ("since", models.DateTimeField()),
                ("taken_until", models.DateTimeField(null=True)),
                ("rests_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="MailChoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("is_wanted", models.BooleanField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="delivery",
            name="one_delivery_per_receiver",
        ),
        migrations.AddField(
            model_name="delivery",
            name="answer",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="kind",
            field=models.CharField(
                choices=[("alert", "Alert"), ("test", "Test"), ("disabled", "Channel disabled")],
                default="alert",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="tenant",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="tenants.tenant",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="took_ms",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="tried_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="alert",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="usage.alert",
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="tenant",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="endpoints",
                to="tenants.tenant",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="endpoint",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="deliveries",
                to="usage.endpoint",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["tenant", "-created_at", "-id"], name="deliveries_of_tenants"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["-created_at", "-id"], name="deliveries_newest_first"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status", "sent"), _negated=True),
                fields=["-created_at", "-id"],
                name="deliveries_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("alert__isnull", False)),
                fields=("alert", "channel", "target", "endpoint"),
                name="one_delivery_per_receiver",
                nulls_distinct=False,
            ),
        ),
        migrations.AddField(
            model_name="mailchoice",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="mailchoice",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.UniqueConstraint(
                condition=models.Q(("tenant", None)), fields=("kind",), name="one_endpoint_of_operations"
            ),
        ),
        migrations.AddConstraint(
            model_name="mailchoice",
            constraint=models.UniqueConstraint(fields=("tenant", "user"), name="one_mail_choice_per_person"),
        ),
    ]

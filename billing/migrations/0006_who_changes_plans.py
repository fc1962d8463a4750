"""Who put a tenant on a plan or let it end, and why; what kind of change each was."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_statements"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="entitlementchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("limits", "Limits changed"),
                    ("plan", "Plan changed"),
                    ("scheduled", "Change of plan scheduled"),
                    ("cancelled", "Plan cancelled"),
                    ("withdrawn", "Scheduled change withdrawn"),
                ],
                default="limits",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="author",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="end_reason",
            field=models.CharField(blank=True, max_length=250),
        ),
        migrations.AddField(
            model_name="subscription",
            name="ended_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="reason",
            field=models.CharField(blank=True, max_length=250),
        ),
    ]

"""Where chores and processes leave their signs of life."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_whose_deliveries")]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("detail", models.JSONField(default=dict)),
            ],
        ),
    ]

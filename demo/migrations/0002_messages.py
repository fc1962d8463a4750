"""Messages that the demo's receivers took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("demo", "0001_files"),
    ]

    operations = [
        migrations.CreateModel(
            name="DemoMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=7)),
                ("title", models.CharField(max_length=300)),
                ("content", models.JSONField()),
                ("at", models.DateTimeField()),
            ],
        ),
    ]

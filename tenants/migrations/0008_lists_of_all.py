"""Lists of all tenants: by name, and without those that are closed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0007_audit_of_operations")]

    operations = [
        migrations.AddIndex("tenant", models.Index(fields=["name", "id"], name="tenants_by_name")),
        migrations.AddIndex(
            "tenant",
            models.Index(condition=models.Q(("status", "closed")), fields=["id"], name="tenants_closed"),
        ),
    ]

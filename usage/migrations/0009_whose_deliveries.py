"""Writes on each delivery whose log it stands in."""

from django.db import migrations

FILL = """
UPDATE usage_delivery SET tenant_id = usage_alert.tenant_id
FROM usage_alert WHERE usage_alert.id = usage_delivery.alert_id
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_endpoints")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]

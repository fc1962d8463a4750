"""Writes on each delivery whose log it stands in: the tenant's where it went to one of its people."""

from django.db import migrations

FILL = """
UPDATE usage_delivery SET tenant_id = usage_alert.tenant_id
FROM usage_alert, tenants_membership, tenants_user
WHERE usage_alert.id = usage_delivery.alert_id
  AND tenants_membership.tenant_id = usage_alert.tenant_id
  AND tenants_membership.user_id = tenants_user.id
  AND usage_delivery.channel = 'email' AND lower(tenants_user.email) = lower(usage_delivery.target)
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_search"), ("usage", "0008_endpoints")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]

from django.db import migrations

# Django can't declare a partitioned table: each hourly table is made anew from its own description.
PARTITION = """
ALTER TABLE {table} RENAME TO {table}_plain;
CREATE TABLE {table} (LIKE {table}_plain INCLUDING DEFAULTS, PRIMARY KEY ({key})) PARTITION BY RANGE (hour);
DROP TABLE {table}_plain;
"""
TABLES = {
    "usage_usagehour": "tenant_id, metric_id, hour, label, epoch",
    "usage_levelhour": "tenant_id, metric_id, hour, epoch",
    "usage_refusalhour": "tenant_id, metric_id, hour, cause, epoch",
}


class Migration(migrations.Migration):
    """Partition the hourly tables by month, so that old months go without a DELETE."""

    dependencies = [("usage", "0001_usage")]

    operations = [
        migrations.RunSQL(PARTITION.format(table=table, key=key), migrations.RunSQL.noop)
        for table, key in TABLES.items()
    ]

"""Computations of cap stops are numbered by a sequence."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("usage", "0012_statements")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE usage_capstamp MINVALUE 1", "DROP SEQUENCE usage_capstamp")
    ]

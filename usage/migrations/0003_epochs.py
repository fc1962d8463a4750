from django.db import migrations


class Migration(migrations.Migration):
    """Epochs are drawn from a sequence; 0 is kept for counts that belong to no epoch."""

    dependencies = [("usage", "0002_partitions")]

    operations = [migrations.RunSQL("CREATE SEQUENCE usage_epoch MINVALUE 1", "DROP SEQUENCE usage_epoch")]

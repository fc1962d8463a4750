"""Names several deliveries as people do."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_judged_use")]

    operations = [migrations.AlterModelOptions("delivery", {"verbose_name_plural": "deliveries"})]

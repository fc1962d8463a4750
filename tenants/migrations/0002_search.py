"""Indexes the words of tenants' names and slugs, so that searching stays quick with very many tenants."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models


def parted(field):
    apart, space, everywhere = models.Value(r"[!-/:-@\[-`{-~]+"), models.Value(" "), models.Value("g")
    return models.Func(
        models.F(field), apart, space, everywhere, function="regexp_replace", output_field=models.TextField()
    )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_tenants")]

    operations = [
        migrations.AddIndex(
            model_name="tenant",
            index=GinIndex(
                SearchVector(parted("name"), parted("slug"), config="simple"), name="tenant_words"
            ),
        ),
    ]

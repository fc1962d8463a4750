"""Indexes the words of people's addresses and names, so that searching them stays quick with very many."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models


def parted(field):
    apart, space, everywhere = models.Value(r"[!-/:-@\[-`{-~]+"), models.Value(" "), models.Value("g")
    return models.Func(
        models.F(field), apart, space, everywhere, function="regexp_replace", output_field=models.TextField()
    )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0008_lists_of_all")]

    operations = [
        migrations.AddIndex(
            model_name="user",
            index=GinIndex(
                SearchVector(parted("email"), parted("first_name"), parted("last_name"), config="simple"),
                name="user_words",
            ),
        ),
    ]

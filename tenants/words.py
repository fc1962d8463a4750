"""How tenants and people are searched: by how words of their names and addresses begin, from an index."""

from __future__ import annotations

import re

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import F, Func, TextField, Value

# What parts words. Only ASCII, so that PostgreSQL means the same in every locale; without this its parser would
# take “acme.io” for a host and “team-2” for a negative number.
APART = r"[!-/:-@\[-`{-~]+"


def _parted(field: str) -> Func:
    return Func(
        F(field), Value(APART), Value(" "), Value("g"), function="regexp_replace", output_field=TextField()
    )


def words() -> SearchVector:
    """The words of a tenant's name and slug: the expression that is indexed."""
    return SearchVector(_parted("name"), _parted("slug"), config="simple")


def words_of_person() -> SearchVector:
    """The words of a person's address and names: the expression that is indexed."""
    return SearchVector(*map(_parted, ("email", "first_name", "last_name")), config="simple")


def beginning(text: str) -> SearchQuery | None:
    """Finds that in which each word of `text` begins a word; None where `text` has none."""
    asked = re.sub(APART, " ", text.replace("\0", " ")).split()
    if not asked:
        return None
    return SearchQuery(" & ".join(f"'{word}':*" for word in asked), search_type="raw", config="simple")

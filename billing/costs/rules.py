"""Finds the rule a charge falls to: of all in their order the first that matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from billing.costs.charges import Charged
from billing.models import CostAlias, CostRule, CostWeight

Driver = CostRule.Driver


class _Matcher(NamedTuple):
    rule: CostRule
    matches: Callable[[Charged], bool]


class RuleBook:
    """Some rules in their order; asking costs no query."""

    def __init__(self, rules: Sequence[CostRule]) -> None:
        self._matchers = [_Matcher(rule, _matches(rule)) for rule in rules]

    @property
    def rules(self) -> list[CostRule]:
        return [one.rule for one in self._matchers]

    @property
    def tags(self) -> list[str]:
        """The tags that charges must be parted by."""
        return sorted({rule.tag_key for rule in self.rules if rule.tag_key})

    def rule_of(self, charge: Charged) -> CostRule | None:
        """The first rule that matches; none where nothing does: the charge is shared and kept apart."""
        return next((one.rule for one in self._matchers if one.matches(charge)), None)


def rule_book() -> RuleBook:
    """All rules as they are now, with their metrics and weights; two queries."""
    return RuleBook(list(CostRule.objects.select_related("metric").prefetch_related("weights")))


def last_changes() -> list[int]:
    """Differs whenever a rule, a weight or an alias was changed: the numbers of the last changes; three queries."""
    histories = (CostRule.history, CostWeight.history, CostAlias.history)
    return [
        history.order_by("-history_id").values_list("history_id", flat=True).first() or 0
        for history in histories
    ]


def _matches(rule: CostRule) -> Callable[[Charged], bool]:
    """Whether a charge is the rule's; a rule that finds tenants by name wants one to be there."""
    service, provider = _pattern(rule.service), _pattern(rule.provider)
    account, category, value = _pattern(rule.sub_account), _pattern(rule.category), _pattern(rule.tag_value)
    wants_account = rule.driver == Driver.ACCOUNT

    def matches(charge: Charged) -> bool:
        tag = charge.tags.get(rule.tag_key, "")
        return (
            service(charge.service)
            and provider(charge.provider)
            and account(charge.sub_account)
            and category(charge.category)
            and (not rule.tag_key or (bool(tag) and value(tag)))
            and (not wants_account or bool(charge.sub_account))
        )

    return matches


def _pattern(written: str) -> Callable[[str], bool]:
    """Whether a text is what is written, where `*` stands for anything; empty = always. Case does not count."""
    if not written.strip("*"):
        return lambda text: True
    parts = (re.escape(part) for part in written.split("*"))
    found = re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL).fullmatch
    return cache(lambda text: found(text) is not None)

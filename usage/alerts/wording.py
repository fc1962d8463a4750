"""The sentences of an alert: what was crossed, what is left, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.models import Allowance, Metric
from usage import units
from usage.models import Alert, Standing

STOP, BILL = Allowance.Beyond.STOP, Allowance.Beyond.BILL
RULES = {STOP: "Stops at the limit", BILL: "Billed over", Allowance.Beyond.NOTIFY: "Notify only"}


@dataclass(frozen=True, slots=True)
class Facts:
    """An alert about a metric, and when its period ends."""

    alert: Alert
    metric: Metric
    ends: datetime

    @property
    def name(self) -> str:
        return units.name(self.metric)

    @property
    def tenant(self) -> str:
        """On one line, whatever was typed."""
        return " ".join(self.alert.tenant.name.split())

    @property
    def reached(self) -> int | None:
        """Whole percent of the limit; none where there is no limit, or one of nothing."""
        return self.alert.used * 100 // self.alert.limit if self.alert.limit else None

    @property
    def is_full(self) -> bool:
        return self.alert.limit is not None and self.alert.used >= self.alert.limit

    @property
    def is_used_up(self) -> bool:
        """Full of something: a plan that has nothing of a metric has no use to speak of."""
        return self.is_full and self.alert.limit != 0

    @property
    def is_refusal(self) -> bool:
        return self.alert.kind == Alert.Kind.REFUSED

    @property
    def is_by_cap(self) -> bool:
        """A refusal where a spend cap stops what is billed."""
        return self.is_refusal and self.alert.beyond == BILL

    @property
    def is_level(self) -> bool:
        return self.metric.kind == Metric.Kind.LEVEL

    @property
    def line(self) -> str:
        """What the limit is to the reader."""
        return "limit" if self.alert.beyond == STOP else "included amount"


def state(facts: Facts) -> str:
    """How it is drawn: near, full (requests are refused), or over (use goes on)."""
    if facts.is_refusal or (facts.is_full and facts.alert.beyond == STOP):
        return Standing.State.FULL.value
    return Standing.State.OVER.value if facts.is_full else Standing.State.NEAR.value


def topic(facts: Facts) -> str:
    """The subject's first part."""
    if facts.is_refusal:
        return f"First refusal of {facts.name}"
    if facts.alert.kind == Alert.Kind.BILLED:
        return f"{facts.metric.name} beyond the included amount"
    return f"{facts.metric.name} at {facts.reached} %"


def badge(facts: Facts) -> str:
    """The state in a word, and the line that was crossed."""
    if facts.is_refusal:
        return "Refused for the first time"
    if facts.alert.kind == Alert.Kind.BILLED:
        return "Billed: the included amount is used"
    word = {"near": "Approaching", "full": "At limit", "over": "Over"}[state(facts)]
    return f"{word}: {facts.alert.percent} % of the {facts.line} passed"


def headline(facts: Facts) -> str:
    """How much room is left."""
    alert, metric = facts.alert, facts.metric
    if facts.is_refusal and (facts.is_by_cap or not facts.is_used_up):
        return f"A request of {facts.tenant} for {facts.name} was refused."
    if not alert.limit:
        return f"{facts.tenant} uses {facts.name} that its plan does not include."
    if facts.is_full:
        included = "" if alert.beyond == STOP else " that its plan includes"
        return f"{facts.tenant} has used all {units.of_quantity(metric, alert.limit)}{included}."
    until = "" if facts.is_level else f" until {units.day(facts.ends.date())}"
    return f"{facts.tenant} has {units.of_quantity(metric, alert.limit - alert.used)} left{until}."


def consequence(facts: Facts) -> str:
    """What happens next."""
    if facts.is_by_cap:
        return (
            "It did not fit into what the spend cap leaves, or came faster than the plan allows. "
            "Included amounts keep working."
        )
    if facts.alert.beyond != STOP:
        money = "is billed" if facts.alert.beyond == BILL else "is neither refused nor billed"
        return f"Nothing stops: what goes beyond the {facts.line} {money}."
    if facts.is_refusal and not facts.is_used_up:
        return _what_was_too_much(facts)
    until = "until some is freed or the plan grows" if facts.is_level else f"until {units.moment(facts.ends)}"
    when = "Requests" if facts.is_full else "From the limit on, requests"
    return f"{when} that need more {facts.name} are refused with status 429 {until}."


def _what_was_too_much(facts: Facts) -> str:
    if facts.alert.limit == 0:
        return "Its plan does not include any: what needs some is refused with status 429."
    return "It did not fit into what was left, or came faster than the plan allows. What fits still passes."


def reset(facts: Facts) -> str:
    """When counting begins anew."""
    return "Never: it is a standing amount" if facts.is_level else units.moment(facts.ends)


def rule(facts: Facts) -> str:
    """What the limit does, in the words of the pages."""
    return RULES[Allowance.Beyond(facts.alert.beyond)]

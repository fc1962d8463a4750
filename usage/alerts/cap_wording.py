"""The sentences of an alert about a spend cap: what is spent, what is left, and what happens at the cap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.models import Allowance
from usage import units
from usage.alerts.spending import FULL
from usage.amounts import money
from usage.models import Alert, Standing

NAME = "Spend cap"


@dataclass(frozen=True, slots=True)
class CapFacts:
    """An alert about a cap, and when its period ends."""

    alert: Alert
    ends: datetime

    @property
    def tenant(self) -> str:
        """On one line, whatever was typed."""
        return " ".join(self.alert.tenant.name.split())

    @property
    def amount(self) -> Decimal:
        return Decimal(self.alert.limit or 0).scaleb(-2)

    @property
    def spent(self) -> Decimal:
        return Decimal(self.alert.used).scaleb(-2)

    @property
    def left(self) -> Decimal:
        return max(Decimal(0), self.amount - self.spent)

    @property
    def percent(self) -> int | None:
        """Whole percent of the cap that is spent; none where nothing may be."""
        return self.alert.used * 100 // self.alert.limit if self.alert.limit else None

    @property
    def is_reached(self) -> bool:
        return self.alert.percent >= FULL

    @property
    def stops(self) -> bool:
        return self.alert.beyond == Allowance.Beyond.STOP

    @property
    def until(self) -> str:
        return units.moment(self.ends)


def state(facts: CapFacts) -> str:
    """How it is drawn: near, full (billed use is refused), or over (it goes on)."""
    if not facts.is_reached:
        return Standing.State.NEAR.value
    return Standing.State.FULL.value if facts.stops else Standing.State.OVER.value


def topic(facts: CapFacts) -> str:
    """The subject's first part."""
    return f"{NAME} reached" if facts.is_reached else f"{NAME} at {facts.percent} %"


def badge(facts: CapFacts) -> str:
    """The state in a word, and the line that was crossed."""
    if not facts.is_reached:
        return f"Approaching: {facts.alert.percent} % of the spend cap passed"
    return "At limit: the spend cap is reached" if facts.stops else "Over: the spend cap is reached"


def headline(facts: CapFacts) -> str:
    """How much money is left."""
    if facts.is_reached:
        return f"{facts.tenant} has reached its spend cap of {money(facts.amount)}."
    left = f"{money(facts.left)} left below its spend cap"
    return f"{facts.tenant} has {left} until {units.day(facts.ends.date())}."


def consequence(facts: CapFacts) -> str:
    """What happens next."""
    if not facts.stops:
        when = "" if facts.is_reached else " at the cap"
        return f"Nothing stops{when}: what goes beyond the plan is billed."
    if facts.is_reached:
        goes_on = "Included amounts keep working. Raise the cap to go on."
        return f"Billable requests are refused with status 429 until {facts.until}. {goes_on}"
    return (
        f"At the cap, billable requests are refused with status 429 until {facts.until}. "
        "Included amounts keep working."
    )


def rule(facts: CapFacts) -> str:
    """What the cap does."""
    return "Stops billed use" if facts.stops else "Notify only"

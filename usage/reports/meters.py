"""One metric of a tenant in words and pictures: what is left, what happens at the limit, its bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Allowance
from usage import units
from usage.reports import dates
from usage.reports.charts import Bar, Spark, bar, spark
from usage.reports.facts import Facts, State
from usage.reports.money import money, prices
from usage.reports.shapes import axis

REFUSED = "h-stop"  # the texture of what would be refused


class Look(NamedTuple):
    """A state as it is drawn: the class and icon's name, and the word beside it."""

    code: str
    word: str


@dataclass(frozen=True, slots=True)
class Meter(Facts):
    """The facts, and how a page says them."""

    @property
    def name(self) -> str:
        """The metric's name inside a sentence."""
        return units.name(self.metric)

    @property
    def look(self) -> Look:
        return look(self.state, self.is_priced)

    @property
    def enforcement(self) -> str:
        """What happens beyond the limit: “Stops at the limit”, “Billed over”, “Notify only”."""
        if self.size is None:
            return _("No limit")
        if self.is_capped:
            return _("Stopped by the spend cap")
        if self.limit.allowance.beyond == Allowance.Beyond.BILL:
            if self.is_priced and self.cap_stop is not None:
                return _("Billed over, up to the spend cap")
            over = _("Billed over") if self.is_priced else _("Not charged over")
            return _("%(over)s, then stops") % {"over": over} if self.limit.stop is not None else over
        return _("Stops at the limit") if self.limit.stop is not None else _("Notify only")

    @property
    def figure(self) -> str:
        """The large number: what is left, or how far over, or what is used where nothing limits it."""
        if self.headroom is None:
            return self.used_text
        return f"+{self.number(self.excess)}" if self.is_over else self.number(self.headroom)

    @property
    def figure_is(self) -> str:
        """What the large number is: “calls left”, “over 420 GB included”."""
        if self.is_over:
            return _("over %(included)s included") % {"included": self.included_text}
        if self.headroom is None:
            return _("used") if self.is_bytes else _("%(noun)s used") % {"noun": self.metric.noun}
        return _("left") if self.is_bytes else _("%(noun)s left") % {"noun": self.metric.noun}

    @property
    def left_text(self) -> str:
        """“450,000 left”, “+11.2 GB over 420 GB included”, “no limit”."""
        if self.headroom is None:
            return _("no limit")
        return f"{self.figure} {self.figure_is if self.is_over else _('left')}"

    @property
    def left_short(self) -> str:
        """What stands beside the limit on the large bar: “83,695 calls left”, “+3.2 GB”."""
        return self.figure if self.is_over else f"{self.figure} {self.figure_is}"

    @property
    def used_text(self) -> str:
        return self.number(self.used)

    @property
    def included_text(self) -> str:
        return self.number(self.limit.included or 0)

    @property
    def size_text(self) -> str:
        return self.number(self.size or 0)

    @property
    def limit_mark(self) -> str:
        """The text at the bar's limit: “Limit 1M”, “Included 420 GB”."""
        word = _("Limit %(size)s") if self.limit.stop is not None else _("Included %(size)s")
        return word % {"size": axis(self.metric, self.size or 0)}

    @property
    def used_of(self) -> str:
        """“816,305 of 1,000,000 · 82 % now”."""
        if self.size is None:
            return _("no limit on this plan")
        of = _("%(used)s of %(size)s") % {"used": self.used_text, "size": self.size_text}
        facts = {"of": of, "percent": self.percent, "expected": self.expected_percent, "day": self.last_day}
        if self.percent is None:
            return _("%(of)s · not in this plan") % facts
        if self.expected_percent is None:
            return _("%(of)s · %(percent)s %% now") % facts
        return _("%(of)s · %(percent)s %% now, %(expected)s %% by %(day)s") % facts

    @property
    def spoken(self) -> str:
        """The bar in words, for those who hear the page."""
        name = self.metric.name
        if self.percent is None:
            return _("%(metric)s: %(used)s used") % {"metric": name, "used": self.used_text}
        facts = {"metric": name, "percent": self.percent, "expected": self.expected_percent}
        if self.expected_percent is None:
            return _("%(metric)s: %(percent)s %% used") % facts
        return _("%(metric)s: %(percent)s %% used, forecast %(expected)s %% at period end") % facts

    @property
    def when(self) -> str:
        """When it runs out, or that it lasts; else what more cost so far, or when it starts anew."""
        if self.runs_out:
            return dates.short(self.runs_out.date())
        if self.is_lasting:
            return _("Lasts the period")
        if self.is_priced and self.amount is not None:
            return _("%(amount)s over") % {"amount": money(self.amount)}
        if self.is_capped:
            return _("Stopped")
        if self.is_over:
            return _("Use goes on")
        return _("Does not reset") if self.is_level else _("Resets %(day)s") % {"day": self.reset_day}

    @property
    def when_note(self) -> str:
        if self.is_capped:
            return _("by the spend cap")
        if self.runs_out:
            return _("in %(time)s") % {"time": dates.countdown(self.runs_out - self.at)}
        if self.shows_amount and not self.is_lasting:
            return prices(self.metric, self.price)
        if self.is_over:
            return _("billed over") if self.is_priced else _("not charged")
        if self.is_level:
            return _("carried over")
        resets = _("resets in %(time)s") if self.is_lasting else _("in %(time)s")
        return resets % {"time": self.reset_in}

    @property
    def is_lasting(self) -> bool:
        """Whether it is said to stay below its limit for the rest of the period."""
        return self.forecast is not None and bool(self.size) and self.expected < (self.size or 0)

    @property
    def last_day(self) -> str:
        """The period's last day, of which forecasts speak."""
        return dates.short(self.period.last_day)

    @property
    def reset_day(self) -> str:
        return dates.short(self.period.until)

    @property
    def reset_in(self) -> str:
        return dates.countdown(self.period.ends - self.at)

    @property
    def consequence(self) -> str:
        """What becomes of requests beyond the limit, as a sentence."""
        facts = {
            "noun": self.metric.noun,
            "size": self.size_text,
            "included": self.included_text,
            "day": self.reset_day,
        }
        if self.size is None:
            return _("Nothing limits it on this plan.")
        if self.is_capped:
            return (
                _(
                    "Stopped by the spend cap: %(noun)s past what is included get status 429 until %(day)s, 00:00 UTC."
                )
                % facts
            )
        if self.limit.stop is not None and self.is_level:
            return (
                _("Stops at the limit: what would pass %(size)s gets status 429 until some is freed.") % facts
            )
        if self.limit.stop is not None:
            return (
                _("Stops at the limit: %(noun)s past %(size)s get status 429 until %(day)s, 00:00 UTC.")
                % facts
            )
        if self.is_priced and self.cap_stop is not None:
            return _("Use past the included %(included)s is billed until the spend cap stops it.") % facts
        if self.is_priced:
            return _("Nothing is refused: use past the included %(included)s is billed.") % facts
        return _("Nothing is refused and nothing charged past the included %(included)s.") % facts

    @property
    def has_bar(self) -> bool:
        return bool(self.size)

    @property
    def bar(self) -> Bar:
        expected = self.expected if self.forecast else None
        drawn = bar(self.used, self.size or 0, is_billed=self.limit.stop is None, expected=expected)
        return replace(drawn, hatch=REFUSED) if self.is_capped else drawn

    @property
    def spark(self) -> Spark:
        return spark(self.trend)

    def number(self, n: int) -> str:
        return units.number(self.metric, n)


def look(state: State, is_priced: bool) -> Look:
    """How a state is drawn; use that goes on without a price is not called billed."""
    is_free = state == State.OVER and not is_priced
    return Look(state.value, _("Over · not charged") if is_free else str(state.label))


__all__ = ["Facts", "Look", "Meter", "State", "look"]

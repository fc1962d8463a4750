"""Who would be better off on another plan, why, and what that is worth to them and to us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode

from django.db.models import Q, QuerySet, Sum, prefetch_related_objects
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import Metric, Plan
from tenants.models import Membership
from usage.amounts import money, more_or_less
from usage.models import RefusalHour, Standing
from usage.models.standing import RUNS_OUT
from usage.reports import dates, keyset
from usage.reports.keyset import Page
from usage.reports.outreach_plans import Advice, Book
from usage.reports.overview_choice import ORDERS, RISK, STOPPED_OR_OVER, Filters, closed
from usage.reports.overview_rows import margins

SIZE = 50
LATELY = timedelta(hours=24)
CANDIDATES = STOPPED_OR_OVER | Q(overage__gt=0) | RUNS_OUT


@dataclass(frozen=True, slots=True)
class Case:
    """One tenant that would be better off. `difference`: what it would pay more, and we would take; of a period."""

    slug: str
    name: str
    plan: str
    suggested: str
    own: Decimal
    other: Decimal
    margin: Decimal | None  # of the month whose costs were divided last
    reasons: tuple[str, ...]
    owners: tuple[str, ...]

    @property
    def difference(self) -> Decimal:
        return self.other - self.own

    @property
    def pays(self) -> str:
        return money(self.own)

    @property
    def would_pay(self) -> str:
        return money(self.other)

    @property
    def worth_to_us(self) -> str:
        return more_or_less(self.difference)

    @property
    def worth_to_them(self) -> str:
        """“$12.00 less”, or what it gets for more."""
        if self.difference < 0:
            return _("%(amount)s less") % {"amount": money(-self.difference)}
        if self.difference == 0:
            return _("nothing is refused, at the same price")
        return _("nothing is refused, for %(amount)s more") % {"amount": money(self.difference)}

    @property
    def has_margin(self) -> bool:
        return self.margin is not None

    @property
    def margin_then(self) -> str:
        """Our margin of the month that was divided last, had this been paid then."""
        return "–" if self.margin is None else money(self.margin + self.difference)

    @property
    def margin_now(self) -> str:
        return "–" if self.margin is None else money(self.margin)

    @property
    def why(self) -> str:
        return " · ".join(self.reasons)

    @property
    def mail(self) -> str:
        """A letter to its owners, not yet written; empty where nobody is."""
        subject = _("A plan that suits %(name)s better: %(plan)s")
        asked = {"subject": subject % {"name": self.name, "plan": self.suggested}}
        to = ",".join(quote(address, safe="@") for address in self.owners)
        return f"mailto:{to}?{urlencode(asked, quote_via=quote)}" if to else ""


@dataclass(frozen=True)
class Outreach:
    """One page of candidates: those that would be better off, and how many are best where they are."""

    cases: tuple[Case, ...]
    looked_at: int
    plan: str
    plans: tuple[Plan, ...]
    previous: str | None
    next: str | None

    @property
    def settled(self) -> int:
        return self.looked_at - len(self.cases)

    @property
    def list_address(self) -> str:
        return Filters(plan=self.plan).address()

    @property
    def previous_address(self) -> str:
        return Filters(plan=self.plan).address(self.previous)

    @property
    def next_address(self) -> str:
        return Filters(plan=self.plan).address(self.next)


def outreach(*, plan: str = "", after: str = "", at: datetime, size: int = SIZE) -> Outreach:
    """A page of those who are refused, pay beyond their plan, or will; `plan` (slug) is the one they are on.

    Eighteen queries at most, however many tenants there are.
    """
    plans = tuple(Plan.objects.all())
    plan = plan if any(one.slug == plan for one in plans) else ""
    page = _page(plan, after, size)
    return Outreach(
        cases=tuple(_cases(page.rows, at)),
        looked_at=len(page.rows),
        plan=plan,
        plans=plans,
        previous=page.previous,
        next=page.next,
    )


def every_case(*, plan: str = "", at: datetime) -> Iterator[Case]:
    """All of them, page by page: memory does not grow with the tenants."""
    after: str | None = ""
    while after is not None:
        page = _page(plan, after, SIZE)
        yield from _cases(page.rows, at)
        after = page.next


def _page(plan: str, after: str, size: int) -> Page[Standing]:
    return keyset.page(_candidates(plan), ORDERS[RISK], after=after, size=size)


def _candidates(plan: str) -> QuerySet[Standing]:
    rows = Standing.objects.filter(CANDIDATES).exclude(tenant__in=closed())
    return rows.filter(plan__slug=plan) if plan else rows


def _cases(rows: Sequence[Standing], at: datetime) -> Iterator[Case]:
    if not rows:
        return
    prefetch_related_objects(rows, "tenant")
    names = {metric.pk: metric.name for metric in Metric.objects.all()}
    known, refused, owners = margins(rows), _refused(rows, at), _owners(rows)
    advices = Book([row.tenant for row in rows], at).advices()
    for row, advice in zip(rows, advices, strict=True):
        if advice.best:
            yield Case(
                slug=row.tenant.slug,
                name=row.tenant.name,
                plan=advice.own.plan.name,
                suggested=advice.best.plan.name,
                own=advice.own.total,
                other=advice.best.total,
                margin=known.get(row.pk),
                reasons=tuple(_reasons(row, advice, refused.get(row.pk, 0), names, at)),
                owners=tuple(owners.get(row.pk, ())),
            )


def _reasons(
    row: Standing, advice: Advice, refused: int, names: Mapping[int, str], at: datetime
) -> Iterator[str]:
    if refused:
        text = ngettext("refused %(n)s request in 24 h", "refused %(n)s requests in 24 h", refused)
        yield text % {"n": f"{refused:,}"}
    elif row.state == Standing.State.FULL:
        yield _("%(metric)s stopped") % {"metric": names.get(row.worst_id or 0, "")}
    if row.runs_out:
        day = dates.short(max(row.runs_out, at.astimezone(UTC).date()))
        yield _("%(metric)s used up on %(day)s") % {
            "metric": names.get(row.runs_out_of_id or 0, ""),
            "day": day,
        }
    if advice.own.overage:
        yield _("pays %(amount)s beyond the plan") % {"amount": money(advice.own.overage)}


def _refused(rows: Sequence[Standing], at: datetime) -> dict[int, int]:
    """Refused charges of the last 24 hours by tenant id."""
    hours = RefusalHour.objects.filter(tenant__in=[row.pk for row in rows], hour__gte=at - LATELY)
    return dict(hours.values_list("tenant_id").annotate(sum=Sum("refused")).values_list("tenant_id", "sum"))


def _owners(rows: Sequence[Standing]) -> dict[int, list[str]]:
    """The owners' addresses by tenant id."""
    owners = Membership.objects.owners().filter(tenant__in=[row.pk for row in rows])
    found: dict[int, list[str]] = {}
    for tenant, address in owners.order_by("pk").values_list("tenant_id", "user__email"):
        found.setdefault(tenant, []).append(address)
    return found

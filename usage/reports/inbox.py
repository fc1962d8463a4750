"""The staff inbox: what operations were told, newest first, and how much of it nobody has seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from usage.models import Notice
from usage.reports import dates, keyset
from usage.reports.alerts import code_of

MOST_UNSEEN = 99  # the tab says “99+” from there on

NEWEST_FIRST: keyset.Order[Notice] = keyset.Order(
    salt="usage.inbox",
    first="at",
    second="pk",
    is_second_descending=True,
    place=lambda notice: [notice.at.isoformat(), notice.pk],
)


@dataclass(frozen=True, slots=True)
class Line:
    """One notice as the list shows it; `code` is the state it is drawn as, empty for a wish."""

    id: int
    code: str
    text: str
    slug: str
    tenant: str
    author: str  # who asks for a plan; empty for an alert
    at: datetime
    when: str
    is_seen: bool
    seen_by: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of it; `newest` is the id up to which “all seen” speaks: what comes later nobody has seen."""

    lines: tuple[Line, ...]
    previous: str | None
    next: str | None
    unseen: int
    newest: int
    after: str  # the cursor of this page, empty for the first

    @property
    def unseen_text(self) -> str:
        return capped(self.unseen)


def inbox(*, after: str | None = None, size: int = 50, at: datetime) -> Inbox:
    """A page of notices; `after` is another page's cursor. Three queries."""
    rows = Notice.objects.select_related("tenant", "author", "seen_by", "delivery__alert")
    page = keyset.page(rows, NEWEST_FIRST, after=after, size=size)
    newest = Notice.objects.order_by("-pk").values_list("pk", flat=True).first()
    lines = tuple(_line(notice, at) for notice in page.rows)
    return Inbox(lines, page.previous, page.next, unseen(), newest or 0, after or "")


def unseen() -> int:
    """Notices nobody has seen, counted to one past the most that is shown."""
    return Notice.objects.filter(seen_at=None)[: MOST_UNSEEN + 1].count()


def capped(count: int) -> str:
    """“12”, “99+”; empty for none."""
    return f"{MOST_UNSEEN}+" if count > MOST_UNSEEN else str(count or "")


def _line(notice: Notice, at: datetime) -> Line:
    alert = notice.delivery.alert if notice.delivery else None
    return Line(
        id=notice.pk,
        code=code_of(alert) if alert else "",
        text=notice.text,
        slug=notice.tenant.slug,
        tenant=notice.tenant.name,
        author=str(notice.author or ""),
        at=notice.at,
        when=dates.when(notice.at, at),
        is_seen=notice.seen_at is not None,
        seen_by=str(notice.seen_by or ""),
    )

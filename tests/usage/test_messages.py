"""What an alert says, word for word."""

from __future__ import annotations

from datetime import date

import pytest

from billing.models import Metric, Plan
from tenants.models import Tenant
from tests.usage.alerting import AT, BILL, NOTIFY, STOP
from usage.alerts.messages import message_of
from usage.models import Alert

CALLS = Metric(code="api_calls", name="API calls", noun="calls", kind="sum")
STORAGE = Metric(code="storage", name="Storage", noun="storage", kind="level", unit="bytes")
USERS = Metric(code="users", name="Active users", noun="users", kind="distinct")
THRESHOLD, REFUSED, BILLED = Alert.Kind.THRESHOLD, Alert.Kind.REFUSED, Alert.Kind.BILLED
UNTIL = "until 1 Dec 2026, 00:00 UTC"


def alert(
    used: int,
    limit: int | None,
    *,
    metric: Metric = CALLS,
    percent: int = 0,
    kind: str = THRESHOLD,
    beyond: str = STOP,
    name: str = "Northwind Labs",
) -> Alert:
    tenant = Tenant(pk=7, slug="northwind", name=name)
    return Alert(
        tenant=tenant,
        metric=metric,
        plan=Plan(slug="pro", name="Pro"),
        period=date(2026, 11, 1),
        kind=kind,
        percent=percent,
        limit=limit,
        used=used,
        beyond=beyond,
        at=AT,
    )


# Subject without the tenant, badge, headline, what happens next.
SAYINGS = [
    (
        alert(800_041, 1_000_000, percent=80),
        "near",
        "API calls at 80 %",
        "Approaching: 80 % of the limit passed",
        "Northwind Labs has 199,959 API calls left until 1 December.",
        f"From the limit on, requests that need more API calls are refused with status 429 {UNTIL}.",
    ),
    (
        alert(1_000, 1_000, percent=100),
        "full",
        "API calls at 100 %",
        "At limit: 100 % of the limit passed",
        "Northwind Labs has used all 1,000 API calls.",
        f"Requests that need more API calls are refused with status 429 {UNTIL}.",
    ),
    (
        alert(97_000_000, 100_000_000, metric=STORAGE, percent=95),
        "near",
        "Storage at 97 %",
        "Approaching: 95 % of the limit passed",
        "Northwind Labs has 3 MB of storage left.",
        "From the limit on, requests that need more storage are refused with status 429 "
        "until some is freed or the plan grows.",
    ),
    (
        alert(100_000_000, 100_000_000, metric=STORAGE, percent=100),
        "full",
        "Storage at 100 %",
        "At limit: 100 % of the limit passed",
        "Northwind Labs has used all 100 MB of storage.",
        "Requests that need more storage are refused with status 429 until some is freed or the plan grows.",
    ),
    (
        alert(450, 500, percent=90, beyond=BILL),
        "near",
        "API calls at 90 %",
        "Approaching: 90 % of the included amount passed",
        "Northwind Labs has 50 API calls left until 1 December.",
        "Nothing stops: what goes beyond the included amount is billed.",
    ),
    (
        alert(750, 500, percent=150, beyond=BILL),
        "over",
        "API calls at 150 %",
        "Over: 150 % of the included amount passed",
        "Northwind Labs has used all 500 API calls that its plan includes.",
        "Nothing stops: what goes beyond the included amount is billed.",
    ),
    (
        alert(3, 3, metric=USERS, percent=100, beyond=NOTIFY),
        "over",
        "Active users at 100 %",
        "Over: 100 % of the included amount passed",
        "Northwind Labs has used all 3 active users that its plan includes.",
        "Nothing stops: what goes beyond the included amount is neither refused nor billed.",
    ),
    (
        alert(950, 1_000, kind=REFUSED),
        "full",
        "First refusal of API calls",
        "Refused for the first time",
        "A request of Northwind Labs for API calls was refused.",
        "It did not fit into what was left, or came faster than the plan allows. What fits still passes.",
    ),
    (
        alert(70, None, kind=REFUSED),
        "full",
        "First refusal of API calls",
        "Refused for the first time",
        "A request of Northwind Labs for API calls was refused.",
        "It did not fit into what was left, or came faster than the plan allows. What fits still passes.",
    ),
    (
        alert(0, 0, kind=REFUSED),
        "full",
        "First refusal of API calls",
        "Refused for the first time",
        "A request of Northwind Labs for API calls was refused.",
        "Its plan does not include any: what needs some is refused with status 429.",
    ),
    (
        alert(1_000, 1_000, kind=REFUSED),
        "full",
        "First refusal of API calls",
        "Refused for the first time",
        "Northwind Labs has used all 1,000 API calls.",
        f"Requests that need more API calls are refused with status 429 {UNTIL}.",
    ),
    (
        alert(501, 500, kind=BILLED, beyond=BILL),
        "over",
        "API calls beyond the included amount",
        "Billed: the included amount is used",
        "Northwind Labs has used all 500 API calls that its plan includes.",
        "Nothing stops: what goes beyond the included amount is billed.",
    ),
    (
        alert(1, 0, kind=BILLED, beyond=BILL),
        "over",
        "API calls beyond the included amount",
        "Billed: the included amount is used",
        "Northwind Labs uses API calls that its plan does not include.",
        "Nothing stops: what goes beyond the included amount is billed.",
    ),
]


class TestWords:
    @pytest.mark.parametrize(("told", "state", "subject", "badge", "headline", "consequence"), SAYINGS)
    def test_say_what_was_crossed_and_what_happens_next(
        self, told: Alert, state: str, subject: str, badge: str, headline: str, consequence: str
    ) -> None:
        message = message_of(told)
        assert message.subject == f"{subject} for Northwind Labs"
        assert (message.state, message.badge, message.headline, message.next) == (
            state,
            badge,
            headline,
            consequence,
        )

    def test_give_the_numbers(self) -> None:
        message = message_of(alert(800_041, 1_000_000, percent=80))
        assert (message.summary, message.left, message.percent) == ("800,041 of 1,000,000", "199,959", 80)
        assert (message.tenant_line, message.rule) == ("Northwind Labs, Pro", "Stops at the limit")
        assert (message.reset, message.counted) == ("1 Dec 2026, 00:00 UTC", "23 Nov 2026, 06:02 UTC")

    def test_level_does_not_reset(self) -> None:
        assert (
            message_of(alert(90, 100, metric=STORAGE, percent=90)).reset == "Never: it is a standing amount"
        )

    def test_without_a_limit_there_is_no_percent(self) -> None:
        message = message_of(alert(70, None, kind=REFUSED))
        assert (message.summary, message.limit, message.left, message.percent) == ("70", "", "", None)

    def test_link_to_the_metric_and_to_the_plans(self) -> None:
        message = message_of(alert(800, 1_000, percent=80))
        assert message.url == "http://localhost:8000/t/northwind/metrics/api_calls/"
        assert message.plan_url == "http://localhost:8000/t/northwind/plan/"

    def test_name_of_many_lines_stays_on_one(self) -> None:
        message = message_of(alert(800, 1_000, percent=80, name="Evil\r\nBcc: all@example.com"))
        assert message.subject == "API calls at 80 % for Evil Bcc: all@example.com"


class TestBar:
    @pytest.mark.parametrize(
        ("used", "widths"),
        [(0, (1, 98)), (500, (49, 50)), (999, (98, 1)), (1_000, (99, 0)), (9_000, (99, 0))],
    )
    def test_fills_the_width(self, used: int, widths: tuple[int, int]) -> None:
        message = message_of(alert(used, 1_000, percent=80))
        assert (message.bar_used, message.bar_left) == widths

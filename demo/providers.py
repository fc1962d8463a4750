"""Who sells to the demo's product: three providers, what each of their services costs, and how that is divided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from billing.models import CostRule, Metric

Driver = CostRule.Driver


@dataclass(frozen=True, slots=True)
class Service:
    """What one service costs, in thousandths of what all bills of a month come to; a credit is negative."""

    provider: str
    name: str
    mille: int
    category: str = "Usage"
    tags: Mapping[str, str] = field(default_factory=dict)
    is_daily: bool = True


SERVICES = (
    Service("AWS", "Amazon EC2", 400),
    Service("AWS", "Amazon RDS", 70),
    Service("AWS", "Amazon RDS", 25, tags={"tenant": "northwind-labs"}),
    Service("AWS", "Amazon RDS", 5, tags={"tenant": "globex"}),
    Service("AWS", "Amazon S3", 90),
    Service("AWS", "AWS Support", 50, category="Purchase", is_daily=False),
    Service("AWS", "Refund", -10, category="Credit", is_daily=False),
    Service("Cloudflare", "CDN", 120),
    Service("Cloudflare", "Workers", 120),
    Service("Datadog", "APM", 80),
    Service("Datadog", "Log Management", 50),
)
PROVIDERS = tuple(dict.fromkeys(one.provider for one in SERVICES))

# In their order: name, which charges, how they are split; a driver that is a metric's code is by its use.
RULES: tuple[tuple[str, dict[str, str], str], ...] = (
    ("A tenant's own", {"tag_key": "tenant"}, Driver.TAG),
    ("Credits", {"category": "Credit"}, CostRule.Sharing.PROPORTIONAL),
    ("Compute", {"service": "Amazon EC2"}, "api_calls"),
    ("Edge compute", {"service": "Workers", "provider": "Cloudflare"}, "api_calls"),
    ("Tracing", {"service": "APM", "provider": "Datadog"}, "api_calls"),
    ("Databases", {"service": "*RDS"}, "users"),
    ("Object storage", {"service": "*S3"}, "storage"),
    ("Data transfer", {"service": "CDN"}, "bandwidth"),
    ("Observability", {"provider": "Datadog"}, CostRule.Sharing.PROPORTIONAL),
)


def seed_rules() -> None:
    """Make the rules where there are none; who has edited them keeps them as they are."""
    if CostRule.objects.exists():
        return
    metrics = {metric.code: metric for metric in Metric.objects.all()}
    for position, (name, which, how) in enumerate(RULES, 1):
        CostRule.objects.create(position=position, name=name, **which, **_split(how, metrics))


def _split(how: str, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    if how in metrics:
        return {"driver": Driver.METRIC, "metric": metrics[how]}
    if how in CostRule.Sharing.values:
        return {"driver": Driver.SHARED, "sharing": how}
    return {"driver": how}

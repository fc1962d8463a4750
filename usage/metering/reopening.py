"""Opens many accounts at once where Redis was emptied or is another, so that few requests have to wait for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import redis
from django.db import DatabaseError, InterfaceError

from billing.entitlements import Entitlements, entitlements_of
from billing.models import Entitlement
from tenants.arrays import among
from tenants.models import Tenant
from usage.metering import keys, ledger, scripts
from usage.metering.accounts import Opening, distinct, execute, opening_of, queue_members, rewrite_limits
from usage.metering.caps import reaches_of
from usage.metering.flush import flush
from usage.metering.upkeep import ACTIVE

MARK = "hr:reopened"  # the life of Redis whose accounts are open, or are being opened; lost with them
CHUNK = 500


def reopen(bulk: redis.Redis, life: bytes, at: datetime) -> int:
    """Open the accounts of active tenants once in each life of Redis, those used last first; returns how many.

    Who dies at it leaves the rest to requests, which open what they find closed.
    """
    if bulk.get(MARK) == life or bulk.set(MARK, life, get=True) == life:
        return 0
    try:
        flush(bulk, at)  # what survived, under its old epoch
        active = Tenant.objects.open().filter(standing__last_used__gt=at - ACTIVE)
        ids = list(active.order_by("-standing__last_used").values_list("pk", flat=True))
        return sum(_open(bulk, ids[start : start + CHUNK], life, at) for start in range(0, len(ids), CHUNK))
    except (DatabaseError, InterfaceError):
        bulk.delete(MARK)  # to be tried again
        raise


def _open(bulk: redis.Redis, ids: Sequence[int], life: bytes, at: datetime) -> int:
    """Open those of the tenants that nobody has opened yet; returns how many."""
    tenants = list(Tenant.objects.filter(among("pk", ids)))
    found = _look(bulk, tenants)
    cold = [tenant for tenant in tenants if not found[tenant.pk].is_alive(life)]
    if not cold:
        return 0
    rights = entitlements_of(cold, at)
    wanted = [(pk, one.period.first) for pk, one in rights.items()]
    totals = ledger.totals(wanted)
    reaches = reaches_of([one.tenant for one in rights.values() if one.caps.stop is not None], at)
    pipe = bulk.pipeline(transaction=False)
    for metric in distinct():
        for (pk, period), known in ledger.members_of(wanted, metric.pk).items():
            queue_members(pipe, pk, metric, period, known)
    pipe.execute()
    for (pk, one), epoch in zip(rights.items(), ledger.new_epochs(len(rights)), strict=True):
        names, values = opening_of(one, reaches.get(pk), totals, epoch, found[pk], life, at)
        pipe.evalsha(scripts.OPEN.sha, len(names), *names, *values)
    opened = sum(map(int, execute(pipe, bulk, scripts.OPEN)))
    _bring_newer(bulk, rights, at)
    return opened


def _look(bulk: redis.Redis, tenants: Sequence[Tenant]) -> Mapping[int, Opening]:
    pipe = bulk.pipeline(transaction=False)
    for tenant in tenants:
        pipe.hmget(keys.tenant(tenant.pk), "life", "epoch")
    return {
        tenant.pk: Opening(life or b"", int(epoch) if epoch else None)
        for tenant, (life, epoch) in zip(tenants, pipe.execute(), strict=True)
    }


def _bring_newer(bulk: redis.Redis, rights: Mapping[int, Entitlements], at: datetime) -> None:
    """An edit since the limits were read may have found no account to rewrite."""
    versions = dict(Entitlement.objects.filter(among("tenant", rights)).values_list("tenant_id", "version"))
    newer = [one.tenant for pk, one in rights.items() if versions.get(pk, 0) > one.version]
    if newer:
        rewrite_limits(bulk, newer, at)

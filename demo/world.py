"""Makes the demo's tenants, people, keys and history in the database; what is not the demo's is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F

from billing.models import EntitlementChange, Metric, Plan
from billing.subscriptions import subscribe
from demo.cast import CUSTOMERS, STAFF, STAFF_EMAIL, Customer, Person
from demo.doors import make_channels
from demo.handout import Credentials, new_password
from demo.history import write_history
from demo.papers import issue_history
from demo.shelf import fill_shelf
from demo.telling import deliver_history
from tenants.keys import KeyRefused, create_key, find_key, revoke_key
from tenants.models import ApiKey, Membership, Tenant, User
from usage.metering import ledger
from usage.metering.ledger import NOTHING
from usage.metering.standings import Touch, restand
from usage.metering.upkeep import expect_use

KEY_NAME = "Demo"
LAST_ANCHOR = 28
AGE = timedelta(days=430)  # of all customers but the new one


@dataclass(frozen=True, slots=True)
class Player:
    """A customer and its tenant."""

    customer: Customer
    tenant: Tenant


@transaction.atomic
def make_world(known: Credentials, at: datetime) -> Credentials:
    """Make what is missing of the demo, up to `at`; returns what opens it.

    `known` stays good where it still opens everything, else passwords and keys are made anew.
    """
    plans = {plan.slug: plan for plan in Plan.objects.all()}
    players = [
        player for one in CUSTOMERS if one.plan in plans and (player := _player(one, plans[one.plan], at))
    ]
    credentials = known if _opens(known, players, at) else _new_credentials(players, at)
    make_channels({one.tenant.slug: one.tenant for one in players}, at)
    staff = _people(players, credentials.password, is_anew=credentials is not known)
    _write_histories(players, staff, at)
    return credentials


def _player(customer: Customer, plan: Plan, at: datetime) -> Player | None:
    """The customer's tenant, made where there is none; none where somebody else's has its slug."""
    tenant = Tenant.objects.filter(slug=customer.slug).first()
    if tenant is None:
        return Player(customer, _new_tenant(customer, plan, at))
    is_ours = tenant.memberships.filter(user__email=customer.email(customer.owner)).exists()
    return Player(customer, tenant) if is_ours else None


def _new_tenant(customer: Customer, plan: Plan, at: datetime) -> Tenant:
    since = at if customer.is_new else at - AGE
    first = at - timedelta(days=customer.day - 1)
    tenant = Tenant.objects.create(
        slug=customer.slug, name=customer.name, anchor_day=min(first.day, LAST_ANCHOR), created_at=since
    )
    subscribe(tenant, plan, at=since, actor=None, reason=f"Signed up for {plan.name}")
    # Nothing has counted for it yet, so there is nothing to bring these limits into.
    EntitlementChange.objects.filter(tenant=tenant).update(felt_at=F("at"), judged_at=F("at"))
    return tenant


def _opens(known: Credentials, players: Sequence[Player], at: datetime) -> bool:
    wanted: list[tuple[str, int | None]] = [(known.service_key, None)]
    wanted += [(known.keys.get(player.tenant.slug, ""), player.tenant.pk) for player in players]
    return bool(known.password) and all(_is_key_of(secret, tenant_id, at) for secret, tenant_id in wanted)


def _is_key_of(secret: str, tenant_id: int | None, at: datetime) -> bool:
    try:
        return find_key(secret, at).tenant_id == tenant_id
    except KeyRefused:
        return False


def _new_credentials(players: Sequence[Player], at: datetime) -> Credentials:
    """A password and keys; those of an earlier demo on this database open nothing any more."""
    for key in ApiKey.objects.filter(name=KEY_NAME, revoked_at=None):
        revoke_key(key, at, by=None)
    keys = {one.tenant.slug: create_key(one.tenant, name=KEY_NAME, at=at).secret for one in players}
    service_key = create_key(None, name=KEY_NAME, at=at).secret
    return Credentials(new_password(), service_key, keys)


def _people(players: Sequence[Player], password: str, *, is_anew: bool) -> User:
    """Let everybody sign in with `password`, or only who is new; returns the member of operations."""
    secret = cache(lambda: make_password(password))  # takes a good part of a second, so once for all

    def user(email: str, person: Person, **rights: bool) -> User:
        first_name, _, last_name = person.name.partition(" ")
        names = {"first_name": first_name, "last_name": last_name}
        found, is_new = User.objects.get_or_create(email=email, defaults={**names, **rights})
        if is_new or is_anew:
            found.password = secret()
            found.save(update_fields=["password"])
        return found

    for player in players:
        for person in player.customer.people:
            member = user(player.customer.email(person), person)
            Membership.objects.get_or_create(
                tenant=player.tenant, user=member, defaults={"role": person.role}
            )
    return user(STAFF_EMAIL, STAFF, is_staff=True, is_superuser=True)


def _write_histories(players: Sequence[Player], staff: User, at: datetime) -> None:
    used = {one.tenant.pk: write_history(one.tenant, one.customer, at) for one in players}
    storage = Metric.objects.get(code="storage")
    for one in players:
        stored = ledger.totals([(one.tenant.pk, at.date())]).get((one.tenant.pk, storage.pk), NOTHING).used
        fill_shelf(one.tenant, stored, at)
    issue_history([one.tenant for one in players], at)
    deliver_history(list(used), staff, at)
    restand({pk: Touch(last) if last else None for pk, last in used.items()}, at)
    expect_use(at)

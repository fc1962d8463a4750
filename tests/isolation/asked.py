"""What is asked of each address: one tenant's things in its path, in its query and in the body."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.core.signing import Signer
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from billing.courses import course
from tenants.invitation_links import token_of
from tenants.models import Tenant, User
from tests.isolation.actors import Body
from tests.isolation.addresses import Address
from tests.isolation.side import Side
from usage.models import Delivery, Notice

AUTOCOMPLETE = {"app_label": "tenants", "model_name": "membership", "field_name": "tenant"}


class MissingThing(Exception):
    """The tests have nothing to ask an address for; says where to make it."""


def path_of(address: Address, side: Side) -> str:
    """The address with things of `side` in it."""
    owner = side.people["owner"]
    values = {
        "slug": side.tenant.slug,
        "code": "api_calls",
        "number": side.statement,
        "name": side.file,
        "uidb64": urlsafe_base64_encode(force_bytes(owner.pk)),
        "token": _token(address, side),
        "id": str(owner.pk),
        "pk": str(_pk(address, side)),
        "pending": str(side.pending),
        "app_label": "billing",
        "content_type_id": "1",
        "object_id": "1",
        "url": "nowhere",
    }
    if model := _model(address):
        values |= _ids(model, side)
    try:
        return address.path(values)
    except KeyError as part:
        raise MissingThing(
            f"{address.name} has the part {part}: give it a value in {__name__}.path_of()."
        ) from None


def _token(address: Address, side: Side) -> str:
    """What the link of a mail holds; an invitation's is withdrawn, for it would open to whoever holds it."""
    if address.name == "tenants:join":
        return token_of(side.tenant.invitations.exclude(withdrawn_at=None).get())
    return default_token_generator.make_token(side.people["owner"])


def _pk(address: Address, side: Side) -> int:
    """Which of the tenant's things an address changes."""
    things: dict[str, QuerySet[Any]] = {
        "usage:rotate_key": side.tenant.api_keys.all(),
        "usage:revoke_key": side.tenant.api_keys.all(),
        "usage:end_override": side.tenant.overrides.all(),
        "usage:staff_revoke_key": side.tenant.api_keys.all(),
        "usage:change_invitation": side.tenant.invitations.filter(withdrawn_at=None),
        "usage:set_role": side.tenant.memberships.filter(role="viewer"),
        "usage:remove_member": side.tenant.memberships.filter(role="viewer"),
    }
    rows = things.get(address.name, side.tenant.endpoints.all())
    return int(rows.values_list("pk", flat=True)[0])


def body_of(address: Address, side: Side) -> Body:
    """What an unsafe request there carries, so that it would succeed for who may send it."""
    notice = Notice.objects.filter(tenant=side.tenant).latest("pk")
    delivery = Delivery.objects.filter(tenant=side.tenant).latest("pk")
    agreed: dict[str, object] = {
        "confirmed": "yes",
        "seen": course(side.tenant, timezone.now()).mark,
        "reason": "too large",
    }
    forms: dict[str, dict[str, object]] = {
        "tenants:sign_in": {"username": side.people["owner"].email, "password": "a guess"},
        "tenants:reset": {"email": side.people["owner"].email},
        "usage:ask_plan": {"plan": "starter"},
        "usage:switch_plan": {"plan": "starter", **agreed},
        "usage:cancel_plan": agreed,
        "usage:withdraw_plan": agreed,
        "usage:cap": {"cap": "stop", "amount": "390.00"},
        "usage:set_thresholds": {"at:": ["80", "95"], "tells_refusals": "on"},
        "usage:set_people": {"members": [str(one.pk) for one in side.tenant.memberships.all()[:1]]},
        "usage:add_channel": {"kind": "webhook", "url": "https://hooks.example/new"},
        "usage:change_channel": {"do": "remove"},
        "usage:resend_alerts": {"delivery": delivery.pk},
        "usage:resend_deliveries": {"delivery": delivery.pk},
        "usage:allocate_anew": {"month": "2026-09", "reason": "rules changed"},
        "usage:seen": {"notice": str(notice.pk)},
        "usage:add_key": {"name": "new job"},
        "usage:rotate_key": {"overlap": "86400"},
        "usage:raise_limit": {
            "metric": "api_calls",
            "more": "10 %",
            "last_day": timezone.now().date().isoformat(),
            "reason": "launch",
        },
        "usage:invite": {"email": "new@guest.example", "role": "viewer"},
        "usage:change_invitation": {"do": "withdraw"},
        "usage:set_role": {"role": "admin"},
        "usage:set_organisation": {"name": "Renamed", "default_zone": "Europe/Berlin"},
        "usage:set_zone": {"time_zone": "Asia/Tokyo"},
        "usage:live": {"live": "off", "next": f"/t/{side.tenant.slug}/"},
        "usage:theme": {"theme": "dark", "next": f"/t/{side.tenant.slug}/"},
    }
    if address.kind == "delete":
        return Body("post=yes")
    if address.name == "demo:sessions":
        return Body(json.dumps({"user": "ann"}), "application/json")
    if address.name == "demo:file":
        return Body("four", "application/octet-stream")
    return Body(urlencode(forms.get(address.name, {}), doseq=True))


def queries_of(address: Address, side: Side) -> list[str]:
    """What a GET there may ask for: the whole page, its parts as they are polled, a search, the next page."""
    notice = Notice.objects.filter(tenant=side.tenant).latest("pk")
    after = Signer(salt="usage.inbox").sign_object([False, notice.at.isoformat(), notice.pk + 1])
    more = {
        "usage:overview": ["seen=0"],
        "usage:metric": ["seen=0", "range=30d"],
        "usage:tenants": ["seen=0", f"q={side.tenant.slug}"],
        "usage:plan": ["to=starter", "end=1"],
        "usage:alerts": ["status=failed", "channel=webhook"],
        "usage:deliveries": ["status=failed", "channel=email"],
        "usage:audit": [f"tenant={side.tenant.slug}", "kind=viewed+as+staff", "person=nobody"],
        "usage:costs": ["only=below", "sort=-cost", "month=2026-09"],
        "usage:inbox": [urlencode({"after": after})],
        "admin:autocomplete": [urlencode({**AUTOCOMPLETE, "term": side.tenant.slug})],
    }
    return ["", *more.get(address.name, ())]


def _model(address: Address) -> type[Model] | None:
    """The admin's model whose address this is, also where it has no name of its own."""
    names = {f"{one._meta.app_label}/{one._meta.model_name}/": one for one in admin.site._registry}
    return next((names[name] for name in names if address.route.startswith(f"admin/{name}")), None)


def _ids(model: type[Model], side: Side) -> dict[str, str]:
    thing = _thing(model, side)
    history = getattr(thing, "history", None)
    version = history.first() if history is not None else None
    return {"object_id": str(thing.pk), "history_id": str(version.pk if version else 1)}


def _thing(model: type[Model], side: Side) -> Model:
    """What `side` has of a model of the admin; for a model that belongs to nobody any row."""
    rows = model._default_manager.all()
    if model is Tenant:
        return side.tenant
    if model is User:
        return side.people["owner"]
    if model is Group:
        return Group.objects.get_or_create(name="clerks")[0]
    if model is Delivery:
        rows = rows.filter(alert__tenant=side.tenant)
    elif any(field.name == "tenant" for field in model._meta.fields):
        rows = rows.filter(tenant=side.tenant)
    if found := rows.first():
        return found
    raise MissingThing(f"There is no {model.__name__} of {side.tenant}: make one in tests/isolation/side.py.")

"""What programs read with a key."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tenants.problems import problem
from tenants.requests import as_tenant_request
from usage.reports import dashboard
from usage.reports.document import document


@require_safe
@login_not_required
def api_usage(request: HttpRequest) -> HttpResponse:
    """The dashboard of the key's tenant as JSON; a service key names the tenant with X-Tenant-ID."""
    asked = as_tenant_request(request)
    if asked.api_key is None:
        detail = _("Send a key of your organisation: Authorization: Bearer hr_…")
        headers = {"WWW-Authenticate": "Bearer"}
        return problem(request, status=401, title=_("Key required"), detail=detail, headers=headers)
    if asked.tenant is None:
        detail = _("A service key acts for a tenant: name its slug in X-Tenant-ID.")
        return problem(request, status=400, title=_("Tenant required"), detail=detail)
    answer = document(dashboard(asked.tenant, timezone.now()))
    return JsonResponse(
        answer, headers={"Cache-Control": "no-store"}, json_dumps_params={"ensure_ascii": False}
    )

"""Pages around signing in, and the way to the page a person wants to see first."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerAway

from tenants.forms import PasswordForm, ResetForm, SignInForm
from tenants.models import Tenant
from tenants.requests import as_tenant_request
from tenants.throttle import RESET, SIGN_IN


class SignIn(auth.LoginView):
    """E-mail and password; goes on to `next`, when that is a page of ours."""

    template_name = "tenants/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if wait := SIGN_IN.knock(request, request.POST.get("username", ""), timezone.now()):
            return too_many(request, wait)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]
        SIGN_IN.welcome(self.request, self.request.POST["username"], timezone.now())
        return super().form_valid(form)


class ResetRequest(auth.PasswordResetView):
    """Asks for an address; the answer is the same whether somebody has it or not."""

    template_name = "tenants/reset.html"
    form_class = ResetForm  # type: ignore[assignment]  # finds and mails the person in a worker, not here
    success_url = reverse_lazy("tenants:reset_sent")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if wait := RESET.knock(request, request.POST.get("email", ""), timezone.now()):
            return too_many(request, wait)
        try:
            return super().post(request, *args, **kwargs)
        except BrokerAway:  # nobody can mail the link now; silence would let the person wait for it
            return _later(request, "tenants/reset_away.html", {}, status=503, wait=60)


class ResetSent(auth.PasswordResetDoneView):
    template_name = "tenants/reset_sent.html"


class ResetConfirm(auth.PasswordResetConfirmView):
    template_name = "tenants/reset_confirm.html"
    form_class = PasswordForm
    success_url = reverse_lazy("tenants:reset_complete")


class ResetComplete(auth.PasswordResetCompleteView):
    template_name = "tenants/reset_complete.html"


class SignOut(auth.LogoutView):
    """By POST only, so that no picture in a foreign page signs anybody out."""


def too_many(request: HttpRequest, wait: int) -> HttpResponse:
    """The page for who tried too often; `wait` in seconds."""
    return _later(request, "tenants/too_many.html", {"minutes": -(-wait // 60)}, status=429, wait=wait)


def _later(
    request: HttpRequest, template: str, context: dict[str, int], *, status: int, wait: int
) -> HttpResponse:
    """A page that asks to come back in `wait` seconds."""
    response = render(request, template, context, status=status)
    response.headers["Retry-After"] = str(wait)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """To the tenant looked at last, or the first one; staff who belong to none see all tenants."""
    asked = as_tenant_request(request)
    tenant = asked.tenant or Tenant.objects.of(asked.user).order_by("name", "pk").first()
    if tenant is not None:
        return redirect("usage:overview", slug=tenant.slug)
    if asked.user.is_staff:
        return redirect("usage:tenants")
    return render(request, "tenants/home.html")


@login_not_required
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's own sign-in page would not be throttled: its address leads to ours."""
    if request.user.is_authenticated and not request.user.is_staff:
        raise Http404  # sending them to sign in again would lead back here
    query = request.GET.urlencode(safe="/") or f"next={reverse('admin:index')}"
    return HttpResponseRedirect(f"{reverse('tenants:sign_in')}?{query}")

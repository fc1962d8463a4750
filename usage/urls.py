"""Addresses of the tenants' pages, the staff pages and the programs' API."""

from django.urls import path

from usage.views import api, mail, ops, preferences, staff, tenant

app_name = "usage"
urlpatterns = [
    path("t/<slug:slug>/", tenant.overview, name="overview"),
    path("t/<slug:slug>/metrics/", tenant.metrics, name="metrics"),
    path("t/<slug:slug>/metrics/<slug:code>/", tenant.metric, name="metric"),
    path("t/<slug:slug>/plan/", tenant.plan, name="plan"),
    path("t/<slug:slug>/plan/ask/", tenant.ask_plan, name="ask_plan"),
    path("t/<slug:slug>/alerts/", tenant.alerts, name="alerts"),
    path("alerts/mail/<str:token>/", mail.stop_mail, name="stop_mail"),
    path("staff/tenants/", staff.tenants, name="tenants"),
    path("staff/inbox/", staff.inbox, name="inbox"),
    path("staff/inbox/seen/", staff.seen, name="seen"),
    path("api/usage", api.api_usage, name="api_usage"),
    path("healthz", ops.healthz, name="healthz"),
    path("readyz", ops.readyz, name="readyz"),
    path("preferences/live/", preferences.live, name="live"),
    path("preferences/theme/", preferences.theme, name="theme"),
]

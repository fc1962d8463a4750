"""Addresses of the tenants' pages, the staff pages and the programs' API."""

from django.urls import path

from usage.views import alerts, api, deliveries, health, imports, mail, ops, preferences, staff, tenant, why

app_name = "usage"
urlpatterns = [
    path("t/<slug:slug>/", tenant.overview, name="overview"),
    path("t/<slug:slug>/metrics/", tenant.metrics, name="metrics"),
    path("t/<slug:slug>/metrics/<slug:code>/", tenant.metric, name="metric"),
    path("t/<slug:slug>/plan/", tenant.plan, name="plan"),
    path("t/<slug:slug>/plan/ask/", tenant.ask_plan, name="ask_plan"),
    path("t/<slug:slug>/alerts/", alerts.alerts, name="alerts"),
    path("t/<slug:slug>/alerts/thresholds/", alerts.set_thresholds, name="set_thresholds"),
    path("t/<slug:slug>/alerts/people/", alerts.set_people, name="set_people"),
    path("t/<slug:slug>/alerts/channels/", alerts.add_channel, name="add_channel"),
    path("t/<slug:slug>/alerts/channels/<int:pk>/", alerts.change_channel, name="change_channel"),
    path("t/<slug:slug>/alerts/test/", alerts.test_mail, name="test_mail"),
    path("t/<slug:slug>/alerts/resend/", alerts.resend_alerts, name="resend_alerts"),
    path("alerts/mail/<str:token>/", mail.stop_mail, name="stop_mail"),
    path("t/<slug:slug>/why/", why.why, name="why"),
    path("staff/tenants/", staff.tenants, name="tenants"),
    path("staff/deliveries/", deliveries.deliveries, name="deliveries"),
    path("staff/deliveries/resend/", deliveries.resend_deliveries, name="resend_deliveries"),
    path("staff/deliveries/test/", deliveries.test_operations, name="test_operations"),
    path("staff/imports/", imports.imports, name="imports"),
    path("staff/imports/<uuid:pending>/", imports.import_preview, name="import_preview"),
    path("staff/imports/<uuid:pending>/confirm/", imports.import_confirm, name="import_confirm"),
    path("staff/inbox/", staff.inbox, name="inbox"),
    path("staff/inbox/seen/", staff.seen, name="seen"),
    path("staff/health/", health.health, name="health"),
    path("api/usage", api.api_usage, name="api_usage"),
    path("healthz", ops.healthz, name="healthz"),
    path("readyz", ops.readyz, name="readyz"),
    path("metrics", ops.metrics, name="measures"),
    path("preferences/live/", preferences.live, name="live"),
    path("preferences/theme/", preferences.theme, name="theme"),
]

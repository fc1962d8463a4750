"""Addresses of the sample product's API, and of what stands in for Slack and tenants' programs."""

from django.urls import path

from demo import receivers, views

app_name = "demo"
urlpatterns = [
    path("api/ping", views.ping, name="ping"),
    path("api/files/", views.files, name="files"),
    path("api/files/<str:name>", views.file, name="file"),
    path("api/sessions", views.sessions, name="sessions"),
    path("receivers/slack/", receivers.slack, name="slack"),
    path("receivers/hook/<int:pk>/", receivers.hook, name="hook"),
    path("receivers/broken/", receivers.broken, name="broken"),
    path("received/", receivers.received, name="received"),
]

"""Addresses of the sample product's API."""

from django.urls import path

from demo import views

app_name = "demo"
urlpatterns = [
    path("api/ping", views.ping, name="ping"),
    path("api/files/", views.files, name="files"),
    path("api/files/<str:name>", views.file, name="file"),
    path("api/sessions", views.sessions, name="sessions"),
]

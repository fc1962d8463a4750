"""Addresses around signing in; `/` leads to the page a person wants to see first."""

from django.urls import path

from tenants import join_views, views

app_name = "tenants"
urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", views.SignIn.as_view(), name="sign_in"),
    path("sign-out/", views.SignOut.as_view(), name="sign_out"),
    path("password/reset/", views.ResetRequest.as_view(), name="reset"),
    path("password/reset/sent/", views.ResetSent.as_view(), name="reset_sent"),
    path("password/reset/<uidb64>/<token>/", views.ResetConfirm.as_view(), name="reset_confirm"),
    path("password/reset/complete/", views.ResetComplete.as_view(), name="reset_complete"),
    path("join/<str:token>/", join_views.accept, name="join"),
    path("admin/login/", views.admin_sign_in, name="admin_sign_in"),
]

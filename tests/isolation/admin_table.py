"""What staff get at each address of the admin; everybody else is sent to sign in. A new model without rows fails.

The admin takes any method but POST for GET, so staff are tried with these two. Objects belong to one tenant.
"""

from __future__ import annotations

from tests.isolation.addresses import Address
from tests.isolation.table import MissingRow, parsed

# “staff” may do everything, “clerk” has no permission at all.
SITE = """
address                          method  staff  clerk
admin:index                      GET     200    200
admin:index                      POST    200    200
admin:logout                     GET     405    405
admin:logout                     POST    302    302
admin:password_change            GET     200    200
admin:password_change            POST    200    200
admin:password_change_done       GET     200    200
admin:password_change_done       POST    405    405
admin:autocomplete               GET     200    403
admin:autocomplete               POST    405    405
admin:jsi18n                     GET     200    200
admin:jsi18n                     POST    405    405
admin:view_on_site               GET     404    404
admin:view_on_site               POST    404    404
admin:auth_user_password_change  GET     200    403
admin:auth_user_password_change  POST    200    403
admin:billing_costrule_test      GET     200    403
admin:billing_costrule_test      POST    200    403
admin:tenants_tenant_cap         GET     200    403
admin:tenants_tenant_cap         POST    200    403
admin:tenants_tenant_plan        GET     200    403
admin:tenants_tenant_plan        POST    200    403
admin:app_list                   GET     200    404
admin:app_list                   POST    200    404
admin:admin/(?P<url>.*)$         GET     404    404
admin:admin/(?P<url>.*)$         POST    404    404
"""

# What staff get; a clerk gets 403 at all of them. “short” is the address without /change/, which leads there.
MODELS = """
model                      method  changelist  add  change  delete  history  simple_history  short
billing_metric             GET     200         200  200     200     200      -               302
billing_metric             POST    200         200  200     200     200      -               302
billing_plan               GET     200         200  200     403     200      200             302
billing_plan               POST    200         200  200     403     200      403             302
billing_allowance          GET     200         403  200     200     200      200             302
billing_allowance          POST    200         403  200     302     200      403             302
billing_entitlementchange  GET     200         403  200     403     200      -               302
billing_entitlementchange  POST    200         403  403     403     200      -               302
billing_subscription       GET     200         200  200     200     200      -               302
billing_subscription       POST    200         200  302     302     200      -               302
billing_override           GET     200         200  200     200     200      200             302
billing_override           POST    200         200  200     302     200      403             302
billing_spendcap           GET     200         403  200     403     200      200             302
billing_spendcap           POST    200         403  403     403     200      403             302
billing_costbill           GET     200         200  200     403     200      -               302
billing_costbill           POST    200         200  200     403     200      -               302
billing_costrule           GET     200         200  200     200     200      200             302
billing_costrule           POST    200         200  200     302     200      403             302
billing_costalias          GET     200         200  200     200     200      200             302
billing_costalias          POST    200         200  200     302     200      403             302
tenants_tenant             GET     200         200  200     403     200      -               302
tenants_tenant             POST    200         200  200     403     200      -               302
tenants_membership         GET     200         200  200     200     200      -               302
tenants_membership         POST    200         200  200     302     200      -               302
tenants_apikey             GET     200         200  200     403     200      -               302
tenants_apikey             POST    200         200  200     403     200      -               302
tenants_user               GET     200         200  200     200     200      -               302
tenants_user               POST    200         200  200     302     200      -               302
auth_group                 GET     200         200  200     200     200      -               302
auth_group                 POST    200         200  200     302     200      -               302
usage_threshold            GET     200         200  200     200     200      -               302
usage_threshold            POST    200         200  200     302     200      -               302
usage_alert                GET     200         403  200     403     200      -               302
usage_alert                POST    200         403  403     403     200      -               302
usage_delivery             GET     200         403  200     403     200      -               302
usage_delivery             POST    200         403  403     403     200      -               302
usage_notice               GET     200         403  200     403     200      -               302
usage_notice               POST    200         403  403     403     200      -               302
usage_standing             GET     200         403  200     403     200      -               302
usage_standing             POST    200         403  403     403     200      -               302
"""

SITE_ROWS, MODEL_ROWS = parsed(SITE), parsed(MODELS)


def expected(address: Address, method: str, actor: str) -> str:
    """What “staff” or “clerk” must get; raises MissingRow."""
    table, rows, row = (
        ("MODELS", MODEL_ROWS, address.model) if address.model else ("SITE", SITE_ROWS, address.name)
    )
    if (row, method) not in rows:
        raise MissingRow(f"{row} has no row: add {method} to {table} in tests/isolation/admin_table.py.")
    if not address.model:
        return rows[row, method][actor]
    return "403" if actor == "clerk" and address.kind != "short" else rows[row, method][address.kind]

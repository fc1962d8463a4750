"""What each actor must get at each address of ours. A new address without a row fails.

A cell is a status; `in` is a redirect to the page to sign in. `*` is every method that no other row names. A method
that no row names at all is 405, but `in` for whom the named ones are `in`. `htmx:` begins what only HTMX gets.
"""

from __future__ import annotations

from collections.abc import Mapping

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# One tenant's things are asked for. “viewer”, “admin”, “owner” and “key” belong to it; “other” owns another tenant,
# and “other-key” is that one's; “service” is a service key that acts for it; “clerk” is staff without a permission.
PAGES = """
address                  methods        anonymous  viewer  admin  owner  other  staff  clerk  key  other-key  service
tenants:home             GET,HEAD       in         302     302    302    302    302    302    in   in         in
tenants:sign_in          *              200        302     302    302    302    302    302    200  200        200
tenants:sign_in          PATCH,DELETE   405        302     302    302    302    302    302    405  405        405
tenants:sign_out         POST           in         302     302    302    302    302    302    in   in         in
tenants:sign_out         OPTIONS        in         200     200    200    200    200    200    in   in         in
tenants:reset            *              200        200     200    200    200    200    200    200  200        200
tenants:reset            POST           302        302     302    302    302    302    302    302  302        302
tenants:reset            PATCH,DELETE   405        405     405    405    405    405    405    405  405        405
tenants:reset_sent       GET,HEAD       200        200     200    200    200    200    200    200  200        200
tenants:reset_sent       OPTIONS        200        200     200    200    200    200    200    200  200        200
tenants:reset_confirm    *              302        302     302    302    302    302    302    302  302        302
tenants:reset_complete   GET,HEAD       200        200     200    200    200    200    200    200  200        200
tenants:reset_complete   OPTIONS        200        200     200    200    200    200    200    200  200        200
tenants:join             GET,HEAD,POST  410        410     410    410    410    410    410    410  410        410
tenants:admin_sign_in    *              in         404     404    404    404    in     in     in   in         in
admin:login              *              in         404     404    404    404    in     in     in   in         in
usage:overview           GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:metrics            GET,HEAD       in         302     302    302    404    302    302    in   in         in
usage:why                GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:history            GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:history_csv        GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:history_json       GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:statements         GET,HEAD       in         403     200    200    404    200    200    in   in         in
usage:statement          GET,HEAD       in         403     200    200    404    200    200    in   in         in
usage:statement_csv      GET,HEAD       in         403     200    200    404    200    200    in   in         in
usage:statement_json     GET,HEAD       in         403     200    200    404    200    200    in   in         in
usage:metric             GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:metric_csv         GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:cost               GET,HEAD       in         403     200    200    404    200    200    in   in         in
usage:cost_csv           GET,HEAD       in         403     200    200    404    200    200    in   in         in
usage:plan               GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:ask_plan           POST           in         403     302    302    404    403    403    in   in         in
usage:ask_plan           htmx:POST      in         403     200    200    404    403    403    in   in         in
usage:switch_plan        POST           in         403     403    302    404    403    403    in   in         in
usage:switch_plan        htmx:POST      in         403     403    200    404    403    403    in   in         in
usage:cancel_plan        POST           in         403     403    302    404    403    403    in   in         in
usage:cancel_plan        htmx:POST      in         403     403    200    404    403    403    in   in         in
usage:withdraw_plan      POST           in         403     403    302    404    403    403    in   in         in
usage:withdraw_plan      htmx:POST      in         403     403    200    404    403    403    in   in         in
usage:cap                GET,HEAD       in         403     302    302    404    302    302    in   in         in
usage:cap                htmx:GET       in         403     200    200    404    200    200    in   in         in
usage:cap                htmx:HEAD      in         403     200    200    404    200    200    in   in         in
usage:cap                POST           in         403     403    302    404    403    403    in   in         in
usage:cap                htmx:POST      in         403     403    200    404    403    403    in   in         in
usage:alerts             GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:set_people         POST           in         403     302    302    404    403    403    in   in         in
usage:change_channel     POST           in         403     302    302    404    403    403    in   in         in
usage:test_mail          POST           in         403     302    302    404    403    403    in   in         in
usage:resend_alerts      POST           in         403     302    302    404    403    403    in   in         in
usage:set_thresholds     POST           in         403     302    302    404    403    403    in   in         in
usage:add_channel        POST           in         403     200    200    404    403    403    in   in         in
usage:keys               GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:add_key            POST           in         403     200    200    404    403    403    in   in         in
usage:rotate_key         GET,HEAD,POST  in         403     200    200    404    403    403    in   in         in
usage:revoke_key         GET,HEAD       in         403     200    200    404    403    403    in   in         in
usage:revoke_key         POST           in         403     302    302    404    403    403    in   in         in
usage:members            GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:invite             POST           in         403     302    302    404    403    403    in   in         in
usage:change_invitation  POST           in         403     302    302    404    403    403    in   in         in
usage:leave              GET,HEAD       in         200     200    200    404    403    403    in   in         in
usage:leave              POST           in         302     302    422    404    403    403    in   in         in
usage:set_role           POST           in         403     403    302    404    403    403    in   in         in
usage:remove_member      GET,HEAD       in         403     403    200    404    403    403    in   in         in
usage:remove_member      POST           in         403     403    302    404    403    403    in   in         in
usage:settings           GET,HEAD       in         200     200    200    404    200    200    in   in         in
usage:set_organisation   POST           in         403     302    302    404    403    403    in   in         in
usage:set_zone           POST           in         302     302    302    404    302    302    in   in         in
usage:zones              GET,HEAD       in         200     200    200    200    200    200    in   in         in
usage:stop_mail          GET,HEAD,POST  404        404     404    404    404    404    404    404  404        404
usage:stop_mail          *              405        405     405    405    405    405    405    405  405        405
usage:tenants            GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:tenants_csv        GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:outreach           GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:outreach_csv       GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:staff_tenant       GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:raise_limit        POST           in         404     404    404    404    302    403    in   in         in
usage:end_override       GET,HEAD       in         404     404    404    404    200    403    in   in         in
usage:end_override       POST           in         404     404    404    404    302    403    in   in         in
usage:staff_revoke_key   GET,HEAD       in         404     404    404    404    200    403    in   in         in
usage:staff_revoke_key   POST           in         404     404    404    404    302    403    in   in         in
usage:inbox              GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:health             GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:audit              GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:audit_csv          GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:seen               POST           in         404     404    404    404    302    302    in   in         in
usage:seen               htmx:POST      in         404     404    404    404    200    200    in   in         in
usage:costs              GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:costs_csv          GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:allocate_anew      POST           in         404     404    404    404    302    403    in   in         in
usage:deliveries         GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:resend_deliveries  POST           in         404     404    404    404    302    403    in   in         in
usage:test_operations    POST           in         404     404    404    404    404    403    in   in         in
usage:imports            GET,HEAD       in         404     404    404    404    200    200    in   in         in
usage:imports            POST           in         404     404    404    404    200    403    in   in         in
usage:import_preview     GET,HEAD       in         404     404    404    404    200    403    in   in         in
usage:import_confirm     POST           in         404     404    404    404    302    403    in   in         in
usage:api_usage          GET,HEAD       401        401     401    401    401    401    401    200  200        200
usage:healthz            GET,HEAD       200        200     200    200    200    200    200    200  200        200
usage:readyz             GET,HEAD       503        503     503    503    503    503    503    503  503        503
usage:measures           GET,HEAD       401        401     401    401    401    200    200    401  401        401
usage:live               POST           in         302     302    302    302    302    302    in   in         in
usage:live               htmx:POST      in         200     200    200    200    200    200    in   in         in
usage:theme              POST           in         302     302    302    302    302    302    in   in         in
demo:ping                *              400        401     401    401    400    400    400    405  405        405
demo:ping                GET            400        401     401    401    400    400    400    200  200        200
demo:files               *              400        401     401    401    400    400    400    405  405        405
demo:files               GET            400        401     401    401    400    400    400    200  200        200
demo:file                *              400        401     401    401    400    400    400    405  405        405
demo:file                PUT            400        401     401    401    400    400    400    200  201        200
demo:file                DELETE         400        401     401    401    400    400    400    204  404        204
demo:sessions            *              400        401     401    401    400    400    400    405  405        405
demo:sessions            POST           400        401     401    401    400    400    400    201  201        201
demo:slack               POST           400        400     400    400    400    400    400    400  400        400
demo:hook                POST           400        400     400    400    400    400    400    400  400        400
demo:broken              POST           503        503     503    503    503    503    503    503  503        503
demo:received            GET,HEAD       in         404     404    404    404    200    200    in   in         in
"""

# Exempt from CSRF protection: no session opens anything there, but a key, a signature, or the link of a mail.
RECEIVERS = {"demo:slack", "demo:hook", "demo:broken"}
EXEMPT = {"demo:ping", "demo:files", "demo:file", "demo:sessions", "usage:stop_mail", *RECEIVERS}

Row = Mapping[str, str]  # actor -> cell


class MissingRow(Exception):
    """An address is in no table; says where to add it."""


def parsed(table: str) -> dict[tuple[str, str], Row]:
    """(address, methods) -> row; the first line names the columns."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    rows = [((line[0], line[1]), dict(zip(head[2:], line[2:], strict=True))) for line in lines]
    twice = [name for name, _row in rows if [one for one, _cells in rows].count(name) > 1]
    if twice:
        raise ValueError(f"Rows that stand twice: {twice}.")
    return dict(rows)


ROWS = {
    (address, method): row
    for (address, methods), row in parsed(PAGES).items()
    for method in methods.split(",")
}
ACTORS = tuple(next(iter(ROWS.values())))


def expected(address: str, method: str, actor: str, *, htmx: bool) -> str:
    """The cell; raises MissingRow."""
    named = [row for (one, _method), row in ROWS.items() if one == address]
    if not named:
        raise MissingRow(
            f"{address} has no row: add one to PAGES in tests/isolation/table.py that says what each actor must get."
        )
    wanted = ([f"htmx:{method}"] if htmx else []) + [method, "*"]
    row = next((ROWS[address, one] for one in wanted if (address, one) in ROWS), None)
    if row is not None:
        return row[actor]
    return "in" if all(row[actor] == "in" for row in named) else "405"

"""Who did what to a tenant's people, keys and name; the database refuses to change it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# That a person's account is deleted may be felt here, and a tenant with all its rows may go; nothing else.
STAYS = """
CREATE FUNCTION tenants_auditentry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.actor_id IS NULL AND (NEW.id, NEW.tenant_id, NEW.at, NEW.action, NEW.detail)
            = (OLD.id, OLD.tenant_id, OLD.at, OLD.action, OLD.detail) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Audit entry % is never changed.', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER auditentry_stays BEFORE UPDATE ON tenants_auditentry
    FOR EACH ROW EXECUTE FUNCTION tenants_auditentry_stays();
"""
MAY_CHANGE = """
DROP TRIGGER auditentry_stays ON tenants_auditentry;
DROP FUNCTION tenants_auditentry_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_invitations")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("action", models.CharField(max_length=32)),
                ("detail", models.JSONField(default=dict)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="audit_entries",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [models.Index(fields=["tenant", "-at", "-id"], name="audit_newest_first")],
            },
        ),
        migrations.RunSQL(STAYS, MAY_CHANGE),
    ]

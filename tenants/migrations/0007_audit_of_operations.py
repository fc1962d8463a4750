"""What operations did and looked at is kept too: acts on no single tenant, and one list of all acts."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# As before, and also where no tenant is named: NULLs are equal here.
STAYS = """
CREATE OR REPLACE FUNCTION tenants_auditentry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.actor_id IS NULL AND (NEW.id, NEW.tenant_id, NEW.at, NEW.action, NEW.detail)
            IS NOT DISTINCT FROM (OLD.id, OLD.tenant_id, OLD.at, OLD.action, OLD.detail) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Audit entry % is never changed.', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_time_zones")]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="audit_entries",
                to="tenants.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["-at", "-id"], name="audit_of_all"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["actor", "-at", "-id"], name="audit_of_person"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["action", "-at", "-id"], name="audit_of_kind"),
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="actor",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(STAYS, migrations.RunSQL.noop),
    ]

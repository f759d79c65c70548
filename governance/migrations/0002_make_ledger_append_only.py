from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION governance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON governance_ledgerevent
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER ledger_never_truncated BEFORE TRUNCATE ON governance_ledgerevent
    FOR EACH STATEMENT EXECUTE FUNCTION governance_refuse_change();
"""
REVERSE = """
DROP TRIGGER ledger_append_only ON governance_ledgerevent;
DROP TRIGGER ledger_never_truncated ON governance_ledgerevent;
DROP FUNCTION governance_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_found_tables")]
    operations = [BtreeGistExtension(), migrations.RunSQL(APPEND_ONLY, REVERSE)]

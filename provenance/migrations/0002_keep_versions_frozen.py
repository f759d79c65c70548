from django.db import migrations

FREEZE = """
CREATE TRIGGER version_frozen BEFORE UPDATE OR DELETE ON provenance_datasetversion
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER version_entry_frozen BEFORE UPDATE OR DELETE ON provenance_versionentry
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();

CREATE FUNCTION provenance_refuse_protected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT kind FROM provenance_dataset WHERE id = NEW.dataset_id) <> 'training' THEN
        RAISE EXCEPTION 'a protected collection is never frozen for training'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_of_no_protected_collection BEFORE INSERT ON provenance_datasetversion
    FOR EACH ROW EXECUTE FUNCTION provenance_refuse_protected();

CREATE FUNCTION provenance_refuse_late_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.position >= (SELECT n_recordings FROM provenance_datasetversion WHERE id = NEW.version_id) THEN
        RAISE EXCEPTION 'a frozen version takes no further entry'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_takes_no_late_entry BEFORE INSERT ON provenance_versionentry
    FOR EACH ROW EXECUTE FUNCTION provenance_refuse_late_entry();
"""
REVERSE = """
DROP TRIGGER version_takes_no_late_entry ON provenance_versionentry;
DROP FUNCTION provenance_refuse_late_entry();
DROP TRIGGER version_of_no_protected_collection ON provenance_datasetversion;
DROP FUNCTION provenance_refuse_protected();
DROP TRIGGER version_entry_frozen ON provenance_versionentry;
DROP TRIGGER version_frozen ON provenance_datasetversion;
"""


class Migration(migrations.Migration):
    dependencies = [("provenance", "0001_found_tables"), ("governance", "0002_make_ledger_append_only")]
    operations = [migrations.RunSQL(FREEZE, REVERSE)]

-- Users of a ClickHouse server, each with the least that it needs. Not run by our tests: the embedded engine has neither
-- users nor grants. They check that every statement is ClickHouse's SQL and names tables that there are.
--
-- For whoever may manage access, once the tables are there; it can be repeated. The server must take custom settings
-- with the prefix SQL_ and ask for grants on system tables, as the config.xml does that ClickHouse ships
-- (custom_settings_prefixes; access_control_improvements/select_from_system_db_requires_grant). Another database than
-- `millrace` is to be put in its place. No password has these hashes: give each user his own
-- (ALTER USER … IDENTIFIED WITH sha256_password BY '…').

-- The stages that write: ClickHouse sink, identity, recordings.
CREATE ROLE IF NOT EXISTS millrace_sink;
GRANT CREATE DATABASE, CREATE TABLE, ALTER TABLE, SELECT, INSERT ON millrace.* TO millrace_sink;
-- The identity stage deletes events, one change at a time.
GRANT SELECT ON system.mutations TO millrace_sink;
-- KILL QUERY needs no grant for a user's own queries.
GRANT SELECT ON system.processes TO millrace_sink;
CREATE USER IF NOT EXISTS millrace_sink_user IDENTIFIED WITH sha256_hash BY '0000000000000000000000000000000000000000000000000000000000000000' DEFAULT ROLE millrace_sink;

-- Whoever asks for the query API: MILLRACE_CLICKHOUSE_USER. Without a grant there is no table function that reaches
-- files, addresses or other servers, no table of the system and nothing to write; read-only on top, which also is what
-- lets the server end a question whose client has gone. Level 2, as every question brings limits of its own, which
-- these bound: at least MILLRACE_QUERY_SECONDS_MAX, MILLRACE_QUERY_STREAM_SECONDS_MAX and
-- MILLRACE_QUERY_MEMORY_BYTES_MAX. None is 0, which would be no limit. Rows are not bounded here: limit=all has no cap.
CREATE SETTINGS PROFILE OR REPLACE millrace_query SETTINGS readonly = 2, max_execution_time = 20 MIN 1 MAX 3600, max_memory_usage = 2000000000 MIN 1 MAX 2000000000;
CREATE ROLE IF NOT EXISTS millrace_query;
GRANT SELECT ON millrace.events TO millrace_query;
GRANT SELECT ON millrace.rejected_events TO millrace_query;
GRANT SELECT ON millrace.persons TO millrace_query;
GRANT SELECT ON millrace.person_changes TO millrace_query;
GRANT SELECT ON millrace.person_overrides TO millrace_query;
GRANT SELECT ON millrace.person_override_changes TO millrace_query;
GRANT SELECT ON millrace.person_distinct_ids TO millrace_query;
GRANT SELECT ON millrace.groups TO millrace_query;
GRANT SELECT ON millrace.group_types TO millrace_query;
GRANT SELECT ON millrace.cohort_members TO millrace_query;
GRANT SELECT ON millrace.cohort_changes TO millrace_query;
GRANT SELECT ON millrace.recording_chunks TO millrace_query;
GRANT SELECT ON millrace.recording_deletions TO millrace_query;
-- How far its own questions are; left out, answers have no progress.
GRANT SELECT(Settings, read_rows, read_bytes, total_rows_approx, elapsed) ON system.processes TO millrace_query;
CREATE USER IF NOT EXISTS millrace_api IDENTIFIED WITH sha256_hash BY '0000000000000000000000000000000000000000000000000000000000000000' DEFAULT ROLE millrace_query SETTINGS PROFILE 'millrace_query';

-- Whoever writes for it: MILLRACE_QUERY_WRITER_USER. Members of cohorts are selected where they are written, so this one
-- reads what the other does; it removes recordings, and nothing else. At least 60 s: MILLRACE_QUERY_COHORT_SECONDS_MAX.
CREATE SETTINGS PROFILE OR REPLACE millrace_writer SETTINGS max_execution_time = 60 MIN 1 MAX 300, max_memory_usage = 2000000000 MIN 1 MAX 2000000000;
CREATE ROLE IF NOT EXISTS millrace_writer;
GRANT millrace_query TO millrace_writer;
GRANT INSERT, ALTER DELETE ON millrace.cohort_members TO millrace_writer;
GRANT INSERT, ALTER DELETE ON millrace.cohort_changes TO millrace_writer;
GRANT INSERT ON millrace.recording_deletions TO millrace_writer;
GRANT ALTER DELETE ON millrace.recording_chunks TO millrace_writer;
CREATE USER IF NOT EXISTS millrace_api_writer IDENTIFIED WITH sha256_hash BY '0000000000000000000000000000000000000000000000000000000000000000' DEFAULT ROLE millrace_writer SETTINGS PROFILE 'millrace_writer';

-- Rows of the one dataset that a statement says it is about, by MILLRACE_QUERY_DATASET_SETTING=SQL_millrace_dataset.
-- One that says nothing is refused (115). Stages that write see every row.
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.events FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.rejected_events FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.persons FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.person_changes FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.person_overrides FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.person_override_changes FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.person_distinct_ids FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.groups FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.group_types FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.cohort_members FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.cohort_changes FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.recording_chunks FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE one_dataset ON millrace.recording_deletions FOR SELECT USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.events FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.rejected_events FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.persons FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.person_changes FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.person_overrides FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.person_override_changes FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.person_distinct_ids FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.groups FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.group_types FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.cohort_members FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.cohort_changes FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.recording_chunks FOR SELECT USING 1 TO millrace_sink;
CREATE ROW POLICY OR REPLACE every_dataset ON millrace.recording_deletions FOR SELECT USING 1 TO millrace_sink;

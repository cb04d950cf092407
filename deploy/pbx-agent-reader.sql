-- The database role that only reads, and only what billing needs.  As the postgres user:
--   psql -d fusionpbx -v password=... -f deploy/pbx-agent-reader.sql
-- For the agent on the PBX host.  Leave `password` of v_extensions out, if the role is for
-- something that need not know the phones' secrets.
CREATE ROLE pbx_reader LOGIN CONNECTION LIMIT 10 PASSWORD :'password';
ALTER ROLE pbx_reader SET default_transaction_read_only = on;
ALTER ROLE pbx_reader SET statement_timeout = '20s';

GRANT SELECT (domain_uuid, domain_name, domain_description, domain_enabled, insert_date)
    ON v_domains TO pbx_reader;
GRANT SELECT (extension_uuid, domain_uuid, extension, effective_caller_id_name, password, enabled)
    ON v_extensions TO pbx_reader;
GRANT SELECT (gateway_uuid, gateway, proxy, realm, username, enabled)
    ON v_gateways TO pbx_reader;
GRANT SELECT ON v_xml_cdr TO pbx_reader;

-- Without it every poll for new calls reads the whole table.  It locks nobody out.
CREATE INDEX CONCURRENTLY IF NOT EXISTS v_xml_cdr_arrival ON v_xml_cdr (insert_date, xml_cdr_uuid);

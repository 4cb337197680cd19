alter table audit_log drop column origin;
drop table signing_keys;
drop table service_keys;
drop table refresh_tokens;
drop table sessions;
drop table accounts;

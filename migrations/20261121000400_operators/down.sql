drop table audit_log;
drop function audit_log_is_append_only;
drop index dead_letters_order;
drop index dead_letters_closed;
drop index dead_letters_open;
alter table dead_letters drop column closed_at;
alter table dead_letters drop column replayed_at;

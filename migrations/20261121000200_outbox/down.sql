drop table settle_attempts;
drop table dead_letters;
drop table outbox;

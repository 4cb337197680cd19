drop index sales_to_announce;
alter table sales drop column announced;
alter table outbox drop column notices;
drop index orders_user;
drop index orders_refund_due;
drop index orders_reclaims;
drop index orders_deadline;
alter table orders drop constraint orders_refund;
alter table orders drop column refund_references;

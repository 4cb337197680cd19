alter table accounts alter column role drop default;

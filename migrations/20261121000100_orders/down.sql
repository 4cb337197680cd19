drop table buyers;
drop table orders;

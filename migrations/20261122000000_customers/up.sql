-- Who registers is a customer: the API's user of the database may not even say otherwise.
alter table accounts alter column role set default 'customer';

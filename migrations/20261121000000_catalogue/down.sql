drop table settings;
drop table sales;
drop table stock_movements;
drop table inventory;
drop table products;
-- The extension stays: somebody else may use it.

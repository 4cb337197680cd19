alter table sales drop constraint sales_waiting_room;
drop table waiting_room_calls;
drop table waiting_rooms;

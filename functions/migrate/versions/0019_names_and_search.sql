-- Which versions of a dropped file there are: the answer to a newer one replaces the older one's.
CREATE INDEX inbox_objects_by_key ON inbox_objects (user_id, object_key);

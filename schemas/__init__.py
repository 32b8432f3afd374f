"""What flows and what is kept: Avro schemas, typed records, codecs, versioned state, the Redis key contract."""

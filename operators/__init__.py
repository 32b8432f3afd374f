"""What happens to the stream: plain classes, one concern a file; `flink` is the thin glue that wraps them."""

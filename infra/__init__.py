"""What it runs on: Java, Kafka, Redis and Flink on this machine."""

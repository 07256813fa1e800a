"""Apache Kafka: topics, the producer, the consumer loop. Nothing else of ours imports its client."""

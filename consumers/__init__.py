"""Takes messages from a broker and does the work in them. Runs in a consumer's container; pika and nats-py only."""

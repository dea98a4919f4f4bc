"""``python -m servers.behind`` imports every driver: so that an image is known to have them, with their byte code."""

from servers.behind import nats_broker, postgres, process, rabbitmq_broker, valkey_store

if __name__ == "__main__":
    assert all((nats_broker, postgres, process, rabbitmq_broker, valkey_store))

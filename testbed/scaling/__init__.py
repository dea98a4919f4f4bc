"""What scaling decides, what it expects of the load, and what it was worth. Pure."""

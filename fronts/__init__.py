"""The configuration of what stands in front of servers, made of environment variables. Runs in a front's container."""

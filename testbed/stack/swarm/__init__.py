"""A Docker Swarm as what runs a sweep: the neutral stack over several machines."""

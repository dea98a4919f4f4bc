"""What can stand in front of a server, beside it and behind it: one module for each component."""

"""What goes over a connection: requests as bytes, and what their replies mean, in each protocol."""

"""What runs on the master: routes and page, the order of a run, what is checked before it."""

"""`orchestrate.py watch`: a live view of a running server's processes, threads, switches and queues."""

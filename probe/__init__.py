"""Watches one server from beside it: its control group, processes, threads and sockets, from a shared PID namespace."""

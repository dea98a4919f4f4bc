"""The same TCP echo server, written once per concurrency model. Standard library only."""

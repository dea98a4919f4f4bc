"""Echo servers as one writes them in ten minutes: what ours are held against. Each listens on a free port it prints."""

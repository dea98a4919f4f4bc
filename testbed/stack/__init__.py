"""What a trial is made of and what runs it: the stack, its renderers, Docker, CPU sets, the load generator."""

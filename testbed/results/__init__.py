"""A results directory: what is written, how it is read, and what it adds up to."""

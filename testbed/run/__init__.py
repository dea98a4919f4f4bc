"""A sweep and its trials, one after another."""

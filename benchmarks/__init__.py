"""Measurements of Threadmill's own cost; run by hand."""

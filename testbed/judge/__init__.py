"""From evidence to a verdict: gates, laws, steady state. Pure."""

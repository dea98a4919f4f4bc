"""Locust master and workers that drive raw TCP at one Threadmill server and record what comes back."""

"""What orchestrate.py is made of: sweep file, plan, stack, load, trial records, report."""

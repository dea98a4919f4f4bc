"""How a command ends: the exit codes, the same for all of them. Standard library only."""

OK = 0
FAILED = 1
"""It ran, and what it found is not as wanted: trials that failed, a condition of `--fail-if`, a machine that lacks."""
USAGE = 2
"""Asked for what cannot be: one line says what was found, where, and what is allowed."""
BROKEN = 3
"""The testbed failed, or a condition cannot be judged: no answer, neither yes nor no."""
INTERRUPTED = 130
"""By Ctrl-C or a signal, as a shell says it."""

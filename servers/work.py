"""The work a request can ask for. ``calibrate`` measures the very function that ``!spin`` runs."""

# One unit is this many steps of a linear congruential generator: about 1 us on a machine of the 2020s.
STEPS_PER_UNIT = 14


def spin(units: int) -> int:
    """Do ``units`` of fixed, deterministic work in pure Python, so holding the GIL as application code does.

    Work, not time: under CPU contention it takes longer. Returns the generator's last value.
    """
    value = 1
    for _ in range(units * STEPS_PER_UNIT):
        value = (value * 16_807 + 11) & 0xFFFF
    return value

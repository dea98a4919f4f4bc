"""What stands behind a server: stores that requests read and write, brokers that they send to, by real drivers.

Nothing of it is imported, nor in an image, unless BEHIND says what there is.
"""

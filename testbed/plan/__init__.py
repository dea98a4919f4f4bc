"""What a sweep asks for: sweep file, axes, cells, steps and the search. Starts nothing."""

"""Two or more runs against each other: equal cells, ratios with intervals, and whether they may be compared at all."""

"""What a run leaves behind: counts in slices of a second, histograms, the result file."""

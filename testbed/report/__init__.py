"""report.html: what a results directory shows, in words and figures, in one file that opens offline."""

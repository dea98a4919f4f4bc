"""What a fresh machine lacks, and what this one has."""

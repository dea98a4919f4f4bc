"""What stands behind servers: each module makes the configuration of one program of environment variables and becomes
that program. Runs in the container of a store or of a broker; standard library only."""

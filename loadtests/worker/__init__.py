"""What runs on a worker: the users, their pacing, the engines that drive their connections."""

"""HTTP in: translates requests to the use cases' words and back, nothing else."""

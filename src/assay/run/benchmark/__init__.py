"""What this machine can do, and how near to it a training comes."""

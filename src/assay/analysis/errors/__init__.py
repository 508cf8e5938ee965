"""What a network gets wrong, and what that says of it and of the labels."""

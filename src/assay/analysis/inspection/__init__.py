"""What a trained network has learned, and which pixels its answers depend on, as figures and tables."""

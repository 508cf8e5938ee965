"""A trained network with its file, its evaluation on labelled images and its predictions for others."""

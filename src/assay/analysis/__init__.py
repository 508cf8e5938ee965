"""What is learned from finished runs: figures, mistakes, and a look inside the network."""

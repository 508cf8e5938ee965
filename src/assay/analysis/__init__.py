"""Records and answers to figures."""

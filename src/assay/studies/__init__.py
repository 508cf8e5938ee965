"""Studies: rows that change a base recipe, several seeds of each, and what may be concluded from them."""

"""Where runs run: each in a process of its own, here or on a Ray cluster; and the store that keeps them."""

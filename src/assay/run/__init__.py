"""From a recipe to the record of a run: build, train, select, finish, resume, and those who watch."""

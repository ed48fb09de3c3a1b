"""How computations run: compiled programs, groups of fits, threads."""

"""Monte Carlo studies: from a design to a table with its errors."""

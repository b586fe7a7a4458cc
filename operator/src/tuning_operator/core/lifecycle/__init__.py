"""How jobs, trials and their attempts move on, and who holds a slot."""

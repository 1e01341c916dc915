"""Controls that mean the same in every language, and change only where that is meant."""

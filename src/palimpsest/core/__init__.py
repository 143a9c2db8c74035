"""The vocabulary: images, terms, the objective, randomness from addresses, errors that are sentences."""

"""A trained model: prediction."""

"""The papers' experiments, on weights and photos that install from packages or on one's own."""

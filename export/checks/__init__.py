"""Is a file what it claims to be? Parity with its model, and the contract with whoever runs it."""

"""The smoothserve command."""

"""Mistakes on the command line."""


class UsageError(Exception):
    """A model, file or option that cannot be used as given."""

"""What goes wrong with a job, as far as its user can mend it."""


class BulkError(Exception):
    """A source, a folder or a setting that does not fit, or a machine that cannot go on."""

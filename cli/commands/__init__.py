"""The subcommands, in the order in which a newcomer needs them."""

from . import archive, completion, explain, export, verify

COMMANDS = (export, explain, archive, verify, completion)

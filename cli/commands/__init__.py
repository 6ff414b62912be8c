"""The subcommands, in the order in which a newcomer needs them."""

from . import archive, completion, explain, export, verify, web

COMMANDS = (export, explain, archive, web, verify, completion)

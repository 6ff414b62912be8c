"""The subcommands, in the order in which a newcomer needs them."""

from . import archive, completion, explain, export, triton, verify, web

COMMANDS = (export, explain, archive, triton, web, verify, completion)

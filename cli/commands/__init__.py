"""The subcommands, in the order in which a newcomer needs them."""

from . import archive, completion, explain, export, serve, triton, verify, web

COMMANDS = (export, explain, archive, serve, triton, web, verify, completion)

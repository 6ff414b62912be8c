"""The subcommands, in the order in which a newcomer needs them."""

from . import archive, compare, completion, explain, export, reproduce, serve, triton, tune, verify, web

COMMANDS = (export, explain, compare, tune, archive, serve, triton, web, verify, reproduce, completion)

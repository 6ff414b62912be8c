"""The subcommands, in the order in which a newcomer needs them."""

from . import (
    archive,
    compare,
    completion,
    evaluate,
    explain,
    explain_all,
    export,
    replay,
    reproduce,
    serve,
    triton,
    tune,
    verify,
    web,
)

COMMANDS = (
    export, explain, explain_all, compare, evaluate, tune, archive, serve, triton, web, verify, replay,
    reproduce, completion,
)  # fmt: skip

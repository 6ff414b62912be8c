"""What every rewrite is: an onnxscript rule whose reasons for staying away go to the debug log."""

from __future__ import annotations

import logging
from typing import Any

from onnxscript.rewriter import MatchContext, MatchResult, RewriteRule, RewriteRuleClassBase

log = logging.getLogger(__package__)


class Identity(RewriteRuleClassBase):
    """A pattern, a check that says why it does not apply, and what the matched nodes become."""

    @classmethod
    def rule(cls, *arguments: Any) -> RewriteRule:
        """The rule that onnxscript applies."""
        identity = cls(*arguments)
        return RewriteRule(identity.pattern, identity.rewrite, identity._logged_check, name=identity.name)

    def _logged_check(self, context: MatchContext, **matched: Any) -> MatchResult:
        result: MatchResult = self.check(context, **matched)
        name = context.root.outputs[0].name
        if result:
            log.debug("%s rewrites %s", self.name, name)
        else:
            log.debug("%s leaves %s: %s", self.name, name, result.reason)
        return result

"""The operands of one operation, as the author of a moment rule sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.program import Values
from ..reverse.site import Site
from ..reverse.vjp import vjp
from .registry import PROPAGATION, Moments


class Operands:
    """What a moment rule is given.

    Args:
        site: the operation and its arguments.
        values: of every node that does not depend on the pixels.
        moments: of every node that does.
    """

    def __init__(self, site: Site, values: Values, moments: Mapping[fx.Node, Moments]) -> None:
        self.site = site
        self._values = values
        self._moments = moments

    @property
    def target(self) -> Any:
        """The ATen overload, or the function, that is called."""
        return self.site.target

    def arguments(self) -> dict[str, Any]:
        """The arguments by their schema names with defaults filled in; the mean of those that vary."""
        return self.site.arguments(self._means())

    def of(self, position: int) -> Moments:
        """The moments of the flattened argument at ``position``, which varies."""
        return self._moments[self.site.leaves[position]]

    def upstream(self, node: fx.Node) -> Moments:
        """The moments of any earlier node that varies."""
        return self._moments[node]

    def at_mean(self) -> Any:
        """The operation's result at the means of its inputs."""
        return self._run(self._means(), {})

    def at_variance(self, constants: float | None = None, **replaced: Any) -> Any:
        """The operation's result for variances in place of the inputs that vary.

        ``constants``: this variance in the place of other tensors of floating point numbers, too. Arguments
        may be replaced, by name.
        """
        if constants is None:
            return self._run(self._variances(lambda value: value), replaced)
        return self._run(self._variances(lambda value: torch.full_like(value, constants)), replaced)

    def with_squares(self, **replaced: Any) -> Any:
        """As :meth:`at_variance`, with the square of every constant tensor of floating point numbers.

        sum_i w_i z_i of independent z_i has variance sum_i w_i^2 var(z_i).
        """
        return self._run(self._variances(lambda value: value * value), replaced)

    def apply(self, z: Tensor) -> Tensor:
        """s(z) of an element-wise function at any z, in place of the first input."""
        result: Tensor = self._run({**self._means(), self.site.leaves[0]: z}, {})
        return result

    def derivative(self, z: Tensor) -> Tensor:
        """s'(z) of an element-wise function at any z: the operation's own VJP of ones."""
        (result,) = vjp(self.site, {**self._means(), self.site.leaves[0]: z}, torch.ones_like(z))
        assert result is not None
        return result

    def _varying(self) -> list[fx.Node]:
        return [self.site.leaves[position] for position in sorted(self.site.varying)]

    def _variances(self, of_constant: Callable[[Tensor], Tensor]) -> Values:
        """Of the inputs that vary; of other tensors of floating point numbers, what the function makes."""
        values: Values = {leaf: self._moments[leaf].variance for leaf in self._varying()}
        for leaf in self.site.leaves:
            if isinstance(leaf, fx.Node) and leaf not in values:
                value = self._values[leaf]
                number = isinstance(value, Tensor) and value.is_floating_point()
                values[leaf] = of_constant(value) if number else value
        return values

    def _means(self) -> Values:
        return {**self._values, **{leaf: self._moments[leaf].mean for leaf in self._varying()}}

    def _run(self, values: Values, replaced: Mapping[str, Any]) -> Any:
        if not replaced:
            return self.site.run(self.site.with_values(values))
        given = {**self.site.arguments(values), **replaced}
        schema = self.target._schema.arguments
        positional = [given[argument.name] for argument in schema if not argument.kwarg_only]
        named = {argument.name: given[argument.name] for argument in schema if argument.kwarg_only}
        return self.target(*positional, **named)


def propagated(node: fx.Node, moments: Moments) -> Moments:
    """What a call that has a rule and a single input makes of other moments than that input's."""
    (source,) = node.all_input_nodes
    site = Site.of(node, {source}, {source})
    rule = PROPAGATION.rule_for(site)
    assert rule is not None
    found: Moments = rule.function(Operands(site, {}, {source: moments}))
    return found

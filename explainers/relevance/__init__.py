"""Relevance: how layer-wise relevance propagation exchanges the rules of the reverse pass.

What flows back is c = R / x, a relevance over the value that it is of. Then LRP's basic rule, for what is
linear, for sums, and for maxima, is the derivative's (with R = c x it splits R by contributions), no quotient
comes near 0 / 0, and only what differs from a derivative is written here: weights, activations, products and
normalisations. At the image, R = c x.
"""

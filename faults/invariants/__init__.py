"""The promises, one function each: `invariant(evidence)` answers None, or a report of the first violation."""

"""The verbs: what a strategy may look at, the loop over steps, the loop over tasks. It is given a run; it never opens one."""

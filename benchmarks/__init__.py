"""Benchmarks: tensorgrad beside other frameworks, and beside NumPy written by hand.

`python -m benchmarks` runs them all.  The map:

- `workloads`  the networks, with their weights and batches: NumPy only; `lenet`, the one of images.
- `registry`   the peers: which module speaks for each, which package it needs.
- `peers/`     a module per framework.  A function in it is a case: it builds the work and returns
               `run(n)`, which does it n times and returns a number to compare with other peers.
- `worker`     the process that a peer runs in; `driver` starts it and times rounds A B A B.
- `eager`, `compiled`, `first_call`, `convolution`, `engine`, `gradients`, `growth`, `streaming`,
  `denormals`  the groups: which cases, which peers, which targets; `steps` is what those of
               networks share.
- `table`, `page`, `machine`   how results are shown and written.
- `kills`      apart from the rest: processes killed while they save.

To add a peer: a module in `peers/` with the cases that it can do, and a line in `registry`.  To add
a group: a module with `ROWS` and `run(settings, rows)`, and a line in `__main__.GROUPS`.
"""

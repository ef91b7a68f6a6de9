"""The peers: one module for each framework.

What a module offers is called by name from `worker`: `training(workload)`, and those of the cases
of `engine` that the framework can do.
"""

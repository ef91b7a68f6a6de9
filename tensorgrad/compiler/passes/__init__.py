"""Passes: each turns a program into another one that computes the same, to the bit.

Floor: compiler, above `program`.  To add one: a file with a function from Program to Program, and
its name in `compiler.plan`.
"""

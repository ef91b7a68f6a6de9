"""NumPy's file formats, read as from strangers: what `data` and `io` share.

Floor `files`; may import `_typing`.  What a file claims is compared with its size before memory is
claimed; nothing in it is unpickled, evaluated or made into a path.  `checks` has the one error and
the limits, `npy` the header of an array, `archive` the zip file around several.
"""

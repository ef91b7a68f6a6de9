"""Every operation, forward and rule side by side, in plain NumPy.

Floor: above `op`; imports nothing else of the project.

The law of rules
----------------
A rule is shown arrays in the fast first-order pass, Tensors when the pass is itself recorded, and
any array type that implements NumPy's protocols.  So that one text serves all three, a rule

- is ordinary NumPy that dispatches: no `np.asarray`, no `isinstance(x, np.ndarray)`, no creation
  without `like=`, no `as_strided`; an op of ours is called by its name, as `sigmoid(x)`;
- never writes into `g`, `out` or an input; what it returns is `g`, a view of `g`, or new;
- uses Python numbers as constants (`np.log(2.0)` is a float64 and widens float32), and
  `np.power`, `np.square`, `np.sqrt` in place of `**`, whose bits differ on NumPy scalars;
- prefers `out` to recomputing, and names with an underscore what it does not read;
- selects with `np.where` where the forward selects, but multiplies by a boolean mask for relu,
  clip, abs and dropout (15 times faster, and the strong zero covers `0 * inf`).

Of complex numbers a rule sees `c = dL/dx - i dL/dy` for z = x + iy, so that `dL = Re(c dz)`.  Hence
the rule of a holomorphic function is what it is for real numbers, with no conjugate in it, and a
product is transposed, not adjoined.  Where w depends on the conjugate of z as well, the rule is
`c_z = c_w dw/dz + conj(c_w dw/dz*)`: `conj(g)` for conj, `g conj(sign(z))` for abs.  The engine
takes the real part for real inputs, and conjugates once, where people see gradients.  A complex
constant stands on the right, as in `g * 1j`: with a NumPy float there the product is Python's.

To add an op, declare it here in the file of its kind with `op(...)`, name it in `tensor` or
`numpy_api`, and give it a row in `tests/op_cases.py`.
"""

"""Use cases: what one does, as methods of a service per noun on the Work."""

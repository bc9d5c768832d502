"""
The pytest plugin that every pytest run of a host loads: it imports nothing of salescrm until a fixture is used.

The fixtures themselves, all named ``salescrm_*``, hand over to :mod:`salescrm.testing`.
"""

"""How long a test waits for what must come: long enough for the slowest machine.

A test that passes never waits so long.
"""

TIMEOUT_S = 120

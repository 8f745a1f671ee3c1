# As the modules define it themselves where there is none; circuitpython-stubs' generic one would clash with that.
from typing import Any

def const(value: Any) -> Any: ...

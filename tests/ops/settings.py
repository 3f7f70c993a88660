"""The settings that Tidings knows, as src/config/default.toml lists them."""

import re
import tomllib

from support import ROOT

DEFAULTS = tomllib.loads((ROOT / "src/config/default.toml").read_text())
VARIABLES = {f"TIDINGS__{section}__{key}".upper() for section, keys in DEFAULTS.items() for key in keys}


def unknown(names):
    """Those of the names that Tidings would refuse to start with."""
    return {name for name in names if name.startswith("TIDINGS__")
            and name not in VARIABLES and name.removesuffix("_FILE") not in VARIABLES}


def seconds(text):
    [(number, unit)] = re.findall(r"^(\d+)(ms|s|m|h)$", text)
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]

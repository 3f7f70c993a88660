"""The metrics as src/telemetry/metrics declares them, read from the source so that no build is needed."""

import re

from support import ROOT

FOLDER = ROOT / "src/telemetry/metrics"
KINDS = {"IntCounter": "counter", "IntGauge": "gauge", "Gauge": "gauge", "Histogram": "histogram"}


def bounds(text, constants):
    text = text.strip()
    return [float(n) for n in re.findall(r"[\d.]+", text)] if text.startswith("&") else constants[text]


def labels():
    """Type name → (label, values)."""
    text = (FOLDER / "labels.rs").read_text()
    found = {}
    for kind, name, body in re.findall(r'pub enum (\w+): "(\w+)" \{(.*?)\n    \}', text, re.S):
        found[kind] = (name, re.findall(r'^\s*\w+ = "(\w+)",', body, re.M))
    return found


def metrics():
    """Every declared metric in the form of metrics.json, by name."""
    known, found = labels(), {}
    texts = {path.name: path.read_text() for path in FOLDER.glob("*.rs")}
    constants = {name: bounds(value, {}) for text in texts.values()
                 for name, value in re.findall(r"const (\w+): &\[f64\] =\s*(&\[[^\]]*\])", text)}
    for text in texts.values():
        for theme in re.findall(r"^theme! \{(.*?)^\}", text, re.S | re.M):
            declared = re.findall(r"^        (\w+): ([^=;]+?)(?:\s*=\s*(&\[[^\]]*\]|\w+))?,$", theme, re.M)
            for name, kind, buckets in declared:
                name, by, base = f"tidings_{name}", [], kind
                if many := re.fullmatch(r"By2?<(.+), (\w+)>", kind):
                    by, base = many[1].split(", "), many[2]
                if kind == "BuildInfo":
                    # Its labels are known only when it is built; see dependencies.rs.
                    found[name] = {"name": name, "type": "gauge", "labels": None}
                    continue
                metric = {"name": name, "type": KINDS[base], "labels": dict(known[label] for label in by)}
                if buckets:
                    metric["buckets"] = bounds(buckets, constants)
                found[name] = metric
    return found
